# The gateway as one small, unprivileged image: docker build -t calgate . && docker run -p 8080:8080 -v calgate:/data calgate
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY gateway gateway
COPY robots robots
RUN python -m venv /opt/calgate && /opt/calgate/bin/pip install --no-cache-dir -c constraints.txt .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /data calgate && install -d -o calgate -m 0700 /data
COPY --from=build /opt/calgate /opt/calgate
COPY packaging/entrypoint.sh /usr/local/bin/calgate-entrypoint
USER calgate
VOLUME /data
EXPOSE 8080
HEALTHCHECK CMD ["/opt/calgate/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=3)"]
ENTRYPOINT ["/usr/local/bin/calgate-entrypoint"]
CMD ["serve"]
