# Short calls; each does one thing that a person would do. `make` alone lists them: the comment above a target is its help.

WEB_SOURCES := $(shell find web/src web/public web/scripts web/index.html web/vite.config.ts -type f ! -name schema.d.ts)

# A build that failed in its last step is no build.
.DELETE_ON_ERROR:
.PHONY: help run capsim web env certificate up down test compose-test fmt lint openapi pictures bench siege fuzz chaos

# This list.
help:
	@./scripts/make-help $(MAKEFILE_LIST)

# The whole system in one process, on embedded stores: prints where to look. ARGS are its flags; FEATURES=full adds databases.
run:
	@$(MAKE) --no-print-directory --keep-going --jobs=2 capsim $(if $(shell command -v npm),web) \
		|| echo "Without the web UI, if that is what failed: all else runs."
	@command -v npm > /dev/null || echo "No web UI without npm (Node.js 20.19 or newer): all else runs."
	cargo run --release --package capsim --features "$(FEATURES)" -- $(ARGS)

# What `make run` starts.
capsim:
	cargo build --release --package capsim --features "$(FEATURES)"

# The web UI, into web/dist, where it is older than its sources.
web: web/dist/index.html

web/dist/index.html: web/node_modules/.package-lock.json docs/openapi.json $(WEB_SOURCES)
	npm --prefix web run build

web/node_modules/.package-lock.json: web/package-lock.json
	npm --prefix web ci --no-audit --no-fund

# Secrets and keys for the full stack, in compose/.env; those that are there stay.
env:
	./scripts/make-env

# A self-signed certificate for trying TLS in front of the full stack; one that is there stays.
certificate:
	./scripts/make-certificate

# The full stack in containers, until `make down`.
up: env
	docker compose --file compose/docker-compose.yml up --build --detach --wait

# Ends the full stack; its data stays in named volumes.
down:
	docker compose --file compose/docker-compose.yml down

# All checks and all tests, with all that they need.
test: lint web
	cargo build --workspace --bins
	./scripts/with-backends cargo test --workspace
	./scripts/with-chromium npm --prefix web test
	./scripts/monitoring test
	./scripts/with-system ./scripts/check-openapi
	./scripts/with-system ./scripts/check-postman
	./scripts/with-system ./scripts/check-readme
	./scripts/with-system ./scripts/check-readme --seeded
	CAPSIM=$${CARGO_TARGET_DIR:-target}/debug/capsim python3 scripts/siege --quick
	./scripts/compose-test --if-possible
	./scripts/check-embedded

# The full stack under another name: up, used, a replica killed, restarted, taken away.
compose-test:
	./scripts/compose-test

# Formatting, clippy with warnings denied, and a line of help for every target.
lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	cargo clippy --package capsim -- --deny warnings
	./scripts/make-help --check Makefile

# Formats the Rust code.
fmt:
	cargo fmt --all

# Renews docs/openapi.json and docs/errors.md from the code.
openapi:
	RENEW=1 cargo test --quiet --package gateway --test openapi

# Takes the pictures of the README.
pictures: web
	cargo build --package capsim
	./scripts/with-chromium npm --prefix web run pictures

# CPU per request of the system in its fastest build: in one process, then as the full stack.
bench:
	cargo build --profile dist --workspace --bins
	./scripts/bench
	./scripts/with-backends ./scripts/bench full-stack

# Attacks on a running system, and what they cost a client who means well. ARGS=--publish renews docs/operations.md.
siege:
	cargo build --profile dist --package capsim
	python3 scripts/siege $(ARGS)

# Throws bytes at all that reads what strangers write, ten minutes each: fuzz/README.md.
fuzz:
	./scripts/fuzz

# A system of its own under load and under faults, for SECONDS (60), by SEED; what it must not do is a violation.
chaos:
	cargo build --workspace --bins
	cargo run --quiet --package tests --bin chaos -- $(ARGS)
