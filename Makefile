# Short calls; each does one thing that a person would do.

.PHONY: run env up down test compose-test fmt lint openapi bench

# The whole system in one process, on embedded stores: prints where to look. ARGS are its flags.
run:
	cargo run --release --package capsim -- $(ARGS)

# Secrets for the full stack, in compose/.env; those that are there stay.
env:
	./scripts/make-env

# The full stack in containers, until `make down`.
up: env
	docker compose --file compose/docker-compose.yml up --build --detach --wait

down:
	docker compose --file compose/docker-compose.yml down

# All checks and all tests, with all that they need.
test: lint
	cargo build --workspace --bins
	./scripts/with-backends cargo test --workspace
	./scripts/monitoring test
	./scripts/with-system ./scripts/check-openapi
	./scripts/with-system ./scripts/check-postman
	./scripts/compose-test --if-possible

# The full stack under another name: up, used, a replica killed, restarted, taken away.
compose-test:
	./scripts/compose-test

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings

fmt:
	cargo fmt --all

# Renews docs/openapi.json from the code.
openapi:
	cargo build --package capsim
	cargo run --quiet --package capsim -- openapi > docs/openapi.json

# CPU per request of the system in its fastest build.
bench:
	cargo build --profile dist --package capsim
	./scripts/bench
