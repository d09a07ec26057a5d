# make run            two systems kept equal, on the sandbox or, with credentials in .env, on the real ones
# make run ONCE=1     ends after the first full sync;  COUNT=50: so many records in a new sandbox
# make test           installs what tests need and runs them all
# make check          format, lint, types
# make chaos          two instances killed at will for five minutes (SECONDS=300 SEED=1)
# make simulate       20,000 histories, every fault and kill (HISTORIES=20000 SEED=0); all kill points
# make mutations      deliberate bugs, one at a time: each has to be noticed by simulation or kill test (ONLY=lease)
# make bench          measures against floors (docs/performance.md); ONLY="core requests" some of it, QUICK=1 smaller numbers
.PHONY: run test check chaos simulate mutations bench ready-to-test
.DEFAULT_GOAL := run

PY := python_modules/bin/python
export MOTIA_ANALYTICS_DISABLED := true
export PYTHONUTF8 := 1
export ONCE COUNT PORT

run:
	@python3 scripts/run.py

ready-to-test:
	@python3 -m scripts.launch.provision --dev

test: ready-to-test
	$(PY) -m pytest $(ARGS)

check: ready-to-test
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	npx --no-install tsc --noEmit -p .

chaos: ready-to-test
	$(PY) -m tests.chaos --seconds $(or $(SECONDS),300) --seed $(or $(SEED),1)

simulate: ready-to-test
	$(PY) -m tests.simulation --histories $(or $(HISTORIES),20000) --seed $(or $(SEED),0) --jobs $(shell nproc)
	$(PY) -m tests.simulation.kills

mutations: ready-to-test
	$(PY) -m tests.simulation.mutations --only "$(ONLY)"

bench:
	@python3 -m scripts.launch.provision
	$(PY) -m bench $(ONLY) $(if $(filter-out 0,$(QUICK)),--quick)
