#!/usr/bin/env python3
"""davbench - server-agnostic CalDAV benchmark.  asyncio + aiohttp client; corpus and truth in icsgen.py.

  davbench.py --base URL/of/calendar/ [--user U --password P] --n 1000 --name radicale --out out.json
Adds to `out.json` (one JSON list) and prints a table.  Collection is made with MKCALENDAR when absent.
Reports: median/p95 single-connection latency (ms) and 16-concurrent throughput (req/s), and checks answers.
"""
import argparse, asyncio, base64, json, re, statistics as st, sys, time, os
from datetime import datetime, timedelta, timezone
from urllib.parse import urljoin, urlsplit
import xml.etree.ElementTree as ET
import aiohttp
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import icsgen
from icsgen import UTC

A = datetime(2026, 9, 7, tzinfo=UTC)
W1 = (A, A + timedelta(days=7))
W8 = (A, A + timedelta(days=56))
z = lambda d: d.strftime("%Y%m%dT%H%M%SZ")
NS = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
XH = {"Content-Type": 'application/xml; charset="utf-8"'}


def q_fb(w):
    return f'<?xml version="1.0" encoding="utf-8"?><C:free-busy-query {NS}><C:time-range start="{z(w[0])}" end="{z(w[1])}"/></C:free-busy-query>'


def q_query(w, expand=False):
    ex = f'<C:expand start="{z(w[0])}" end="{z(w[1])}"/>' if expand else ""
    return (f'<?xml version="1.0" encoding="utf-8"?><C:calendar-query {NS}><D:prop><D:getetag/><C:calendar-data>{ex}</C:calendar-data></D:prop>'
            f'<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="{z(w[0])}" end="{z(w[1])}"/>'
            f'</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>')


def q_multiget(hrefs):
    return (f'<?xml version="1.0" encoding="utf-8"?><C:calendar-multiget {NS}><D:prop><D:getetag/><C:calendar-data/></D:prop>'
            + "".join(f"<D:href>{h}</D:href>" for h in hrefs) + "</C:calendar-multiget>")


Q_ETAG = '<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'


def q_sync(tok):
    return (f'<?xml version="1.0" encoding="utf-8"?><D:sync-collection xmlns:D="DAV:"><D:sync-token>{tok}</D:sync-token>'
            f'<D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>')


def unfold(t):
    return re.sub(r"\r?\n[ \t]", "", t)


def pdt(s):
    return datetime.strptime(s, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def pdur(s):
    m = re.fullmatch(r"([+-]?)P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", s)
    w, d, h, mi, se = (int(x or 0) for x in m.groups()[1:])
    return timedelta(weeks=w, days=d, hours=h, minutes=mi, seconds=se)


def parse_fb(text, w):
    busy, tent, n = [], [], 0
    for line in unfold(text).splitlines():
        if not line.startswith("FREEBUSY"):
            continue
        head, _, val = line.partition(":")
        m = re.search(r"FBTYPE=([A-Z-]+)", head)
        t = m.group(1) if m else "BUSY"
        if t == "FREE":
            continue
        for p in val.split(","):
            if not p.strip():
                continue
            a, b = p.strip().split("/")
            a = pdt(a)
            b = a + pdur(b) if b[0] in "P+" else pdt(b)
            a, b = max(a, w[0]), min(b, w[1])
            n += 1
            if a < b:
                (tent if t == "BUSY-TENTATIVE" else busy).append((a, b))
    M = icsgen.merge(busy + tent)
    return dict(periods=n, union_minutes=icsgen.minutes(M), union_periods=len(M),
                busy_minutes=icsgen.minutes(icsgen.merge(busy)), tentative_minutes=icsgen.minutes(icsgen.merge(tent)))


def parse_ms(body):
    r = ET.fromstring(body)
    hrefs, data, gone = [], 0, 0
    inst = 0
    for resp in r.findall("{DAV:}response"):
        if "404" in (resp.findtext("{DAV:}status") or ""):
            gone += 1
            continue
        hrefs.append(resp.findtext("{DAV:}href"))
        cd = resp.find(".//{urn:ietf:params:xml:ns:caldav}calendar-data")
        if cd is not None and cd.text:
            data += 1
            inst += cd.text.count("BEGIN:VEVENT")
    return dict(hrefs=hrefs, data=data, vevents=inst, gone=gone, token=r.findtext("{DAV:}sync-token"))


class Bench:
    def __init__(s, a):
        s.a = a
        s.base = a.base if a.base.endswith("/") else a.base + "/"
        s.path = urlsplit(s.base).path
        s.hdr = {"Authorization": "Basic " + base64.b64encode(f"{a.user}:{a.password}".encode()).decode()} if a.user else {}
        s.res = {"name": a.name, "n": a.n, "loadavg": os.getloadavg()[0], "version": a.version, "ops": {}, "verify": {}}

    async def mk(s, conc):
        return aiohttp.ClientSession(headers=s.hdr, connector=aiohttp.TCPConnector(limit=conc, force_close=False),
                                     timeout=aiohttp.ClientTimeout(total=s.a.timeout), auto_decompress=True)

    async def req(s, ses, method, url, body=None, headers=None, ok=None):
        async with ses.request(method, url, data=body, headers=headers, allow_redirects=False) as r:
            b = await r.read()
            if ok and r.status not in ok:
                raise RuntimeError(f"{method} {r.status} {b[:160]!r}")
            return r.status, r.headers, b

    async def measure(s, name, fn, conc=16, budget=None):
        """fn(ses, i) awaitable -> (status, headers, body)"""
        a = s.a
        budget = budget or a.budget
        o = {}
        ses = await s.mk(1)
        try:
            t0 = time.perf_counter()
            stt, h, b = await fn(ses, 0)
            first = time.perf_counter() - t0
            o.update(first_ms=round(first * 1e3, 2), status=stt, bytes=len(b))
            lat = []
            end = time.perf_counter() + budget
            i = 1
            while (time.perf_counter() < end and len(lat) < a.max_samples) or (len(lat) < 2 and first < 20):
                t = time.perf_counter()
                await fn(ses, i)
                lat.append(time.perf_counter() - t)
                i += 1
            lat = lat or [first]
            lat.sort()
            o.update(median_ms=round(st.median(lat) * 1e3, 2), p95_ms=round(lat[min(len(lat) - 1, int(.95 * len(lat)))] * 1e3, 2), samples=len(lat))
        except Exception as e:
            o["error"] = repr(e)[:200]
            s.res["ops"][name] = o
            print("#", name, o, flush=True)
            await ses.close()
            return None
        await ses.close()
        # 16 concurrent
        if o["median_ms"] * conc / 1e3 > 4 * budget:
            o["rps16"] = None
            o["rps16_note"] = "skipped: too slow"
        else:
            ses = await s.mk(conc)
            done, err = 0, 0
            t0 = time.perf_counter()
            end = t0 + budget
            ctr = iter(range(10 ** 6, 10 ** 9))

            async def w():
                nonlocal done, err
                while time.perf_counter() < end:
                    try:
                        await fn(ses, next(ctr))
                        done += 1
                    except Exception as e:
                        err += 1
                        o["rps16_err"] = repr(e)[:120]
                        if err > 20:
                            return
            await asyncio.gather(*[w() for _ in range(conc)])
            dt = time.perf_counter() - t0
            await ses.close()
            o["rps16"] = round(done / dt, 2)
            if err:
                o["errors16"] = err
        s.res["ops"][name] = o
        print("#", name, {k: o.get(k) for k in ("first_ms", "median_ms", "p95_ms", "rps16", "bytes")}, flush=True)
        return h, b

    async def run(s):
        a = s.a
        evs = [icsgen.make(i, years=a.years, tag=a.uidtag) for i in range(a.n)]
        ses = await s.mk(4)
        if not a.no_mk:
            try:
                st_, h, b = await s.req(ses, a.mk, s.base, headers=XH, body=a.mkbody or None)
                s.res["mkcalendar"] = st_
            except Exception as e:
                s.res["mkcalendar"] = repr(e)[:100]
        await ses.close()
        # ---- load
        loaded = a.n
        if not a.skip_load:
            ses = await s.mk(a.load_conc)
            it = iter(range(a.load_from, a.n))
            t0 = time.perf_counter()
            last = [a.load_from]
            errs = []

            async def w():
                for i in it:
                    if time.perf_counter() - t0 > a.load_limit or len(errs) > 20:
                        return
                    for attempt in range(3):
                        try:
                            stt, _, b = await s.req(ses, "PUT", s.base + evs[i].name, evs[i].body, {"Content-Type": "text/calendar; charset=utf-8"})
                        except Exception as e:
                            stt, b = 0, repr(e).encode()
                        if stt in (200, 201, 204):
                            break
                    if stt not in (200, 201, 204):
                        errs.append((i, stt, b[:200].decode("utf-8", "replace")))
                    last[0] += 1
            await asyncio.gather(*[w() for _ in range(a.load_conc)])
            dt = time.perf_counter() - t0
            k = last[0] - a.load_from
            s.res["load"] = dict(events=k, conc=a.load_conc, seconds=round(dt, 2), per_s=round(k / dt, 1), errors=len(errs), first_error=errs[:1])
            if last[0] < a.n:
                loaded = last[0]
                evs = evs[:loaded]
                s.res["n_loaded"] = loaded
            print("load", s.res["load"], flush=True)
        if s.res.get("load", {}).get("errors", 0) > 20:
            sys.exit("load refused: " + str(s.res["load"]))
        if a.load_only:
            return s.res
        T1, T8 = icsgen.truth(evs, *W1), icsgen.truth(evs, *W8)
        s.res["truth"] = {"w1": T1, "w8": T8}
        V = s.res["verify"]
        only = set(a.only.split(",")) if a.only else None

        def want(n):
            return not only or n in only

        async def rep(ses, i, body, depth="1", ok=(200, 207)):
            return await s.req(ses, "REPORT", s.base, body, {**XH, "Depth": depth}, ok)

        def fbv(name, r, w, T):
            if not r:
                V[name] = "n/a"
                return
            try:
                g = parse_fb(r[1].decode(), w)
            except Exception as e:
                V[name] = "unparsable " + repr(e)[:80]
                return
            okk = g["union_minutes"] == T["union_minutes"]
            V[name] = dict(ok=okk, typed_ok=(g["busy_minutes"], g["tentative_minutes"]) == (T["busy_minutes"], T["tentative_minutes"]), got=g,
                           want={k: T[k] for k in ("raw_periods", "union_minutes", "union_periods", "busy_minutes", "tentative_minutes")})

        if want("fb1"):
            r = await s.measure("fb1", lambda ses, i: rep(ses, i, q_fb(W1)))
            fbv("fb1", r, W1, T1)
        if want("fb8"):
            r = await s.measure("fb8", lambda ses, i: rep(ses, i, q_fb(W8)))
            fbv("fb8", r, W8, T8)
        some_hrefs = None

        def msv(name, r, wantn, key="hrefs", inst=None):
            if not r:
                V[name] = "n/a"
                return None
            try:
                m = parse_ms(r[1])
            except Exception as e:
                V[name] = "unparsable " + repr(e)[:80]
                return None
            got = len(m["hrefs"]) if key == "hrefs" else m[key]
            V[name] = dict(ok=(got == wantn) and (inst is None or m["vevents"] == inst), got=got, want=wantn)
            if inst is not None:
                V[name].update(got_instances=m["vevents"], want_instances=inst)
            return m
        if want("query1"):
            r = await s.measure("query1", lambda ses, i: rep(ses, i, q_query(W1)))
            m = msv("query1", r, T1["resources"], "data")
            if m:
                some_hrefs = m["hrefs"]
        if want("expand1"):
            r = await s.measure("expand1", lambda ses, i: rep(ses, i, q_query(W1, True)))
            msv("expand1", r, T1["resources"], "data", T1["instances"])
        if want("multiget50"):
            pre = s.path
            step = max(1, len(evs) // 50)
            hs = [pre + e.name for e in evs[::step][:50]]
            r = await s.measure("multiget50", lambda ses, i: rep(ses, i, q_multiget(hs)))
            msv("multiget50", r, len(hs), "data")
        if want("propfind"):
            r = await s.measure("propfind", lambda ses, i: s.req(ses, "PROPFIND", s.base, Q_ETAG, {**XH, "Depth": "1"}, (207,)))
            if r:
                m = parse_ms(r[1])
                k = sum(1 for x in m["hrefs"] if x.rstrip("/").endswith(".ics"))
                V["propfind"] = dict(ok=k == len(evs), got=k, want=len(evs))
            else:
                V["propfind"] = "n/a"
        tok = None
        if want("sync_initial"):
            # sync-collection asks Depth: 0 (RFC 6578 3.2)
            r = await s.measure("sync_initial", lambda ses, i: rep(ses, i, q_sync(""), "0"))
            if r:
                m = parse_ms(r[1])
                k = sum(1 for x in m["hrefs"] if x.rstrip("/").endswith(".ics"))
                V["sync_initial"] = dict(ok=k == len(evs), got=k, want=len(evs))
                tok = m["token"]
            else:
                V["sync_initial"] = "n/a"
        cnt = [0]
        ev0 = evs[7]

        async def change(ses, i):
            cnt[0] += 1
            body = ev0.body.replace(b"SUMMARY:", b"SUMMARY:v%d-%d " % (os.getpid(), cnt[0]), 1)
            return await s.req(ses, "PUT", s.base + ev0.name, body, {"Content-Type": "text/calendar; charset=utf-8"}, (200, 201, 204))
        if want("sync_incr") and tok:
            from html import escape
            ses = await s.mk(1)
            try:
                await change(ses, 0)
                t = tok
                r = await s.measure("sync_incr", lambda ses, i: rep(ses, i, q_sync(escape(t)), "0"))
                if r:
                    m = parse_ms(r[1])
                    V["sync_incr"] = dict(ok=len(m["hrefs"]) == 1, got=len(m["hrefs"]), want=1)
            except Exception as e:
                V["sync_incr"] = repr(e)[:120]
            await ses.close()
        one = s.base + evs[11].name
        et = [None]
        if want("get"):
            r = await s.measure("get", lambda ses, i: s.req(ses, "GET", one, ok=(200,)))
            if r:
                et[0] = r[0].get("ETag")
                V["get"] = dict(ok=evs[11].uid.encode() in r[1])
        if want("get304"):
            if et[0]:
                r = await s.measure("get304", lambda ses, i: s.req(ses, "GET", one, headers={"If-None-Match": et[0]}))
                V["get304"] = dict(ok=s.res["ops"]["get304"].get("status") == 304, got=s.res["ops"]["get304"].get("status"))
        if want("put"):
            async def put(ses, i):
                e = evs[(i * 7919) % len(evs)]
                return await s.req(ses, "PUT", s.base + e.name, e.body.replace(b"SUMMARY:", b"SUMMARY:p%d " % i, 1),
                                   {"Content-Type": "text/calendar; charset=utf-8"}, (200, 201, 204))
            await s.measure("put", put)
            # what a free/busy costs right after a write (cache invalidation seen)
            if want("fb8_after_put"):
                ses = await s.mk(1)
                lat = []
                try:
                    end = time.perf_counter() + a.budget
                    i = 5
                    while time.perf_counter() < end and len(lat) < 20 or not lat:
                        await put(ses, i)
                        t = time.perf_counter()
                        answer = await rep(ses, i, q_fb(W8))
                        lat.append(time.perf_counter() - t)
                        i += 1
                    fbv("fb8_after_put", answer[1:], W8, T8)
                    s.res["ops"]["fb8_after_put"] = dict(median_ms=round(st.median(lat) * 1e3, 2), p95_ms=round(sorted(lat)[int(.95 * len(lat))] * 1e3, 2) if len(lat) > 1 else None, samples=len(lat))
                except Exception as e:
                    s.res["ops"]["fb8_after_put"] = dict(error=repr(e)[:150])
                await ses.close()
        if want("get_ics"):
            url = s.a.ics_url or s.base
            r = await s.measure("get_ics", lambda ses, i: s.req(ses, "GET", url, headers={"Accept": "text/calendar"}, ok=(200,)))
            if r:
                k = len(set(re.findall(rb"^UID:(\S+bench\.\S*)", r[1], re.M)))
                V["get_ics"] = dict(ok=k == len(evs), got=k, want=len(evs), ctype=r[0].get("Content-Type"))
                if r[0].get("ETag") and k:
                    tag = r[0]["ETag"]
                    await s.measure("get_ics304", lambda ses, i: s.req(ses, "GET", url, headers={"Accept": "text/calendar", "If-None-Match": tag}))
                    if s.res["ops"]["get_ics304"].get("status") != 304:
                        s.res["ops"].pop("get_ics304")
            else:
                V["get_ics"] = "n/a"
        return s.res


def table(res):
    print(f"\n## {res['name']} n={res.get('n_loaded', res['n'])} {res.get('version') or ''}  load={res.get('load')}")
    print(f"{'op':14}{'median ms':>12}{'p95 ms':>12}{'req/s @16':>12}{'bytes':>11}  check")
    for k, o in res["ops"].items():
        v = res["verify"].get(k)
        if isinstance(v, dict):
            c = "ok" if v.get("ok") else "WRONG " + json.dumps({x: v[x] for x in v if x not in ("ok",)})[:230]
            if v.get("ok") and v.get("typed_ok") is False:
                c += " (FBTYPE differs: got busy/tent %s/%s want %s/%s)" % (v["got"]["busy_minutes"], v["got"]["tentative_minutes"], v["want"]["busy_minutes"], v["want"]["tentative_minutes"])
        else:
            c = str(v or "")
        if "error" in o:
            print(f"{k:14}  ERROR {o['error'][:150]}")
        else:
            print(f"{k:14}{o.get('median_ms', ''):>12}{o.get('p95_ms') or '':>12}{str(o.get('rps16', '')):>12}{o.get('bytes', ''):>11}  {c}")


def growth(path):
    rows = json.load(open(path))
    by = {}
    for r in rows:
        by.setdefault(r["name"], {})[r.get("n_loaded", r["n"])] = r
    for name, d in by.items():
        ns = sorted(d)
        if len(ns) < 2:
            continue
        lo, hi = d[ns[0]], d[ns[-1]]
        print(f"\n## growth {name}: {ns[0]} -> {ns[-1]} (median latency ratio)")
        for k in hi["ops"]:
            a, b = lo["ops"].get(k, {}).get("median_ms"), hi["ops"][k].get("median_ms")
            if a and b:
                print(f"  {k:14} {a:>10} -> {b:>10} ms   x{b / a:.1f}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--base"); p.add_argument("--user"); p.add_argument("--password", default="")
    p.add_argument("--name", default="server"); p.add_argument("--version", default="")
    p.add_argument("--n", type=int, default=1000); p.add_argument("--years", type=float, default=2.0)
    p.add_argument("--out", default="davbench.json")
    p.add_argument("--budget", type=float, default=2.0); p.add_argument("--max-samples", type=int, default=100)
    p.add_argument("--timeout", type=float, default=90)
    p.add_argument("--load-conc", type=int, default=16); p.add_argument("--load-limit", type=float, default=120)
    p.add_argument("--load-from", type=int, default=0)
    p.add_argument("--skip-load", action="store_true"); p.add_argument("--load-only", action="store_true")
    p.add_argument("--no-mk", action="store_true"); p.add_argument("--mk", default="MKCALENDAR"); p.add_argument("--mkbody", default="")
    p.add_argument("--only", default=""); p.add_argument("--ics-url", default="")
    p.add_argument("--pid-file", help="stop unless the port is held by the process this file names (or its children)")
    p.add_argument("--uidtag", default="", help="put into every UID (Cyrus wants UIDs unique over all of a user's calendars)")
    p.add_argument("--growth", help="print growth ratios from a result file and stop")
    p.add_argument("--dump", help="write the corpus as files into this folder and stop")
    p.add_argument("--epoch", help="first day of the corpus, YYYY-MM-DD (default: icsgen's)")
    p.add_argument("--window", help="first day of the windows asked about, YYYY-MM-DD")
    a = p.parse_args()
    if a.epoch:
        icsgen.START = datetime.fromisoformat(a.epoch).date()
    if a.window:
        global W1, W8
        first = datetime.fromisoformat(a.window).replace(tzinfo=UTC)
        W1, W8 = (first, first + timedelta(days=7)), (first, first + timedelta(days=56))
    if a.growth:
        return growth(a.growth)
    if a.pid_file:
        # refuse to talk to a listener that is not the server under test
        import subprocess
        port = urlsplit(a.base).port
        line = [l for l in subprocess.run(["ss", "-ltnpH", f"sport = :{port}"], capture_output=True, text=True).stdout.splitlines() if l]
        want_sid = os.getsid(int(open(a.pid_file).read().strip().split()[0]))
        pids = [int(x) for l in line for x in re.findall(r"pid=(\d+)", l)]
        if not pids or not all(os.getsid(x) == want_sid for x in pids):
            sys.exit(f"port {port} is not held by our own server: {line}")
    if a.dump:
        os.makedirs(a.dump, exist_ok=True)
        for i in range(a.load_from, a.n):
            e = icsgen.make(i, years=a.years)
            open(os.path.join(a.dump, e.name), "wb").write(e.body)
        return
    res = asyncio.run(Bench(a).run())
    rows = json.load(open(a.out)) if os.path.exists(a.out) else []
    rows.append(res)
    json.dump(rows, open(a.out, "w"), indent=1)
    table(res)


main()
