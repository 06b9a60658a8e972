# Short calls; each does one thing that a person would do.

.PHONY: run test fmt lint openapi bench

# The whole system in one process, on embedded stores: prints where to look. ARGS are its flags.
run:
	cargo run --release --package capsim -- $(ARGS)

# All checks and all tests, with all that they need.
test: lint
	cargo build --workspace --bins
	./scripts/with-backends cargo test --workspace

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
