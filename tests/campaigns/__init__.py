"""Long checks, run by `make campaigns`: outside judges, real input, storms and kill -9."""
