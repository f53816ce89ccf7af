# Everything a person or a CI job calls. `make help` lists it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# What the lab and its tests run on; Debian's own packages, and nothing else. Tests start a registry of their own:
# the service that its package would leave on this machine is ended at once.
PACKAGES := python3-venv git docker.io docker-registry openssh-server iproute2 iptables mmdebstrap haproxy curl wrk
DEMO     := .demo

.DEFAULT_GOAL := help
.PHONY: help setup packages check format schemas test test-fast bench demo demo-down clean

help: ## what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: packages $(STAMP) ## Debian packages and the virtual environment

packages:
	@missing=""; for p in $(PACKAGES); do \
	  [ "$$(dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null)" = installed ] || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  [ "$$(id -u)" = 0 ] || { echo "run this as root, or first: apt-get install$$missing" >&2; exit 1; }; \
	  echo "installing Debian packages:$$missing"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing || exit 1; \
	  case "$$missing" in *docker-registry*) \
	    [ ! -d /run/systemd/system ] || systemctl -q disable --now docker-registry ;; \
	  esac; \
	fi

$(STAMP): pyproject.toml constraints.txt
	@echo "installing Python packages into $(VENV) (about half a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

check: setup ## format, lint, types, import contracts
	$(BIN)/ruff format --check reconciler tests tools
	$(BIN)/ruff check reconciler tests tools
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## rewrite the sources in the one format
	$(BIN)/ruff format reconciler tests tools
	$(BIN)/ruff check --fix reconciler tests tools

schemas: $(STAMP) ## schemas/ and the page of a pod's fields, from upstream's shapes, our types and schemas/overlays/
	$(BIN)/python -m tools.schemas

# Tests on real hosts often wait: each of five workers has a lab of its own. They begin as tests/conftest.py says.
test: setup ## every tier of tests, the lab on real engines included
	$(BIN)/pytest -n 5 --dist loadfile --no-loadscope-reorder --durations=15

# Without the lab, the tests compute, and wait now and then: two workers for each core.
test-fast: setup ## every tier of tests, without those that need the lab
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not lab" --durations=15

bench: setup ## the bars, measured; prints a table
	$(BIN)/python -m tests.bench

demo: setup ## three Docker hosts, a Git repo, a web app behind HAProxy
	@sh docs/tutorial/demo.sh up $(DEMO)

demo-down: $(STAMP) ## removes all that the demo made
	@sh docs/tutorial/demo.sh down $(DEMO)

clean: ## caches and the virtual environment
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
