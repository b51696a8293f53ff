# The short way in. meson.build has the rest; CONTRIBUTING.md explains the tests.
BUILD ?= build
export MESON_ARGS ?=
MINUTES ?= 10
C_FILES = $$(git ls-files '*.c' '*.h')

.PHONY: all
all: ## the optimised program: build/wherry
	@scripts/build $(BUILD) program
	@ln -sf src/cli/wherry $(BUILD)/wherry

.PHONY: test test-long
test: ## everything that fits in 15 minutes
	@scripts/install-deps test || scripts/install-deps --check build
	@scripts/install-peers || echo "Without them the tests that need them are skipped." >&2
	@scripts/install-tds-peer || echo "Without it the tests that need it are skipped." >&2
	@scripts/install-aws-peers || echo "Without them the tests that need them are skipped." >&2
	@scripts/install-openapi-peers || echo "Without them the tests that need them are skipped." >&2
	@scripts/install-versitygw || echo "Without it the tests that need it are skipped." >&2
	@scripts/install-dynamodb-local || echo "Without it the tests that need it are skipped." >&2
	@scripts/install-duckdb || echo "Without it the tests of SQL models are skipped." >&2
	@scripts/build $(BUILD)
	@ln -sf src/cli/wherry $(BUILD)/wherry
	@tests/run $(BUILD)

test-long: ## the large counts; takes hours
	@scripts/install-deps test || scripts/install-deps --check build
	@scripts/install-peers || echo "Without them the tests that need them are skipped." >&2
	@scripts/install-tds-peer || echo "Without it the tests that need it are skipped." >&2
	@scripts/install-aws-peers || echo "Without them the tests that need them are skipped." >&2
	@scripts/install-openapi-peers || echo "Without them the tests that need them are skipped." >&2
	@scripts/install-versitygw || echo "Without it the tests that need it are skipped." >&2
	@scripts/install-dynamodb-local || echo "Without it the tests that need it are skipped." >&2
	@scripts/install-duckdb || echo "Without it the tests of SQL models are skipped." >&2
	@scripts/build $(BUILD)
	@ln -sf src/cli/wherry $(BUILD)/wherry
	@tests/run $(BUILD) --long

PROJECT ?=
CONNECTORS ?= dynamodb s3 sns sqs
.PHONY: lambda
lambda: ## the zip of an AWS Lambda function: make lambda PROJECT=folder CONNECTORS="s3 postgres"
	@scripts/install-deps build
	@scripts/build $(BUILD) program
	@meson configure $(BUILD) -Dlambda_connectors=$$(echo $(CONNECTORS) | tr ' ' ,)
	@scripts/build $(BUILD) src/cli/bootstrap
	@scripts/make-lambda $(BUILD) $(BUILD)/wherry-lambda.zip $(PROJECT)

.PHONY: demo
demo: ## the worked example, from an ERP to a lookup page, in a scratch folder
	@scripts/install-deps build
	@$(MAKE) --no-print-directory all
	@scripts/demo $(BUILD)/wherry

.PHONY: demo-platform
demo-platform: ## the worked example of a data platform, with an SFTP server and a database of its own
	@scripts/install-deps build
	@scripts/install-deps test
	@scripts/install-duckdb
	@$(MAKE) --no-print-directory all
	@scripts/demo-platform $(BUILD)/wherry

.PHONY: bench
bench: all ## the crossing beside the plain script, a pipeline beside convert
	@scripts/build $(BUILD)
	@python3 bench/crossing.py $(BUILD)
	@python3 bench/pipeline.py $(BUILD)

.PHONY: bench-codecs
bench-codecs: all ## one format to another, beside DuckDB, PyArrow and Polars
	@scripts/build $(BUILD)
	@scripts/install-peers
	@.peers/bin/python bench/codecs.py $(BUILD)

.PHONY: bench-databases
bench-databases: all ## databases in and out, beside their own tools
	@scripts/build $(BUILD)
	@scripts/install-deps test
	@scripts/install-tds-peer
	@scripts/install-bench-peers || echo "Without ConnectorX and DuckDB, reading has no peer but psql." >&2
	@python3 bench/databases.py $(BUILD)

.PHONY: bench-aws
bench-aws: all ## objects and DynamoDB, beside the AWS command line, rclone, s5cmd and boto3
	@scripts/build $(BUILD)
	@scripts/install-deps bench
	@scripts/install-aws-peers
	@scripts/install-bench-peers || echo "Without s5cmd there is nothing beside it." >&2
	@.aws-peers/bin/python bench/aws.py $(BUILD)
	@.aws-peers/bin/python bench/events.py $(BUILD)

.PHONY: bench-splunk
bench-splunk: all ## events for Splunk, beside a Python script with requests
	@scripts/build $(BUILD)
	@scripts/install-aws-peers
	@.aws-peers/bin/python bench/splunk.py $(BUILD)

.PHONY: bench-platform
bench-platform: all ## files from and to an SFTP server, beside sftp and rclone; events over HTTP; a day of 10 million rows
	@scripts/install-deps bench
	@scripts/install-duckdb
	@python3 bench/data_platform.py $(BUILD)
	@python3 bench/ingest.py $(BUILD)
	@CARS=9000000 PERSONS=1000000 scripts/demo-platform $(BUILD)/src/cli/wherry

.PHONY: bench-songs
bench-songs: all ## files of songs, read beside libhdf5 and, where PYTABLES= names a Python that has it, PyTables
	@scripts/build $(BUILD)
	@python3 bench/songs.py $(BUILD) $(if $(PYTABLES),--pytables $(PYTABLES))

.PHONY: bench-workers
bench-workers: all ## one, two and four workers on one ledger, and its queue beside pgbench
	@scripts/build $(BUILD)
	@PYTHONPATH=tests/support python3 bench/workers.py $(BUILD)

.PHONY: fuzz
fuzz: ## every fuzz target for MINUTES=10
	@scripts/fuzz $(MINUTES)

.PHONY: tsan
tsan: ## the tests that use threads, under ThreadSanitizer
	@scripts/tsan

.PHONY: docs
docs: all ## docs/reference, from the tables in the source, and the picture of the README
	@$(BUILD)/wherry docs docs/reference
	@scripts/draw-terminal docs/demo.txt >docs/demo.svg

.PHONY: format check-format
format:
	@clang-format-14 -i $(C_FILES)
check-format:
	@clang-format-14 --dry-run -Werror $(C_FILES)

.PHONY: install
install: all ## DESTDIR= to install elsewhere; MESON_ARGS=--prefix=/usr for another prefix
	@meson install -C $(BUILD) --no-rebuild --quiet

.PHONY: clean
clean:
	@rm -rf $(BUILD)

.PHONY: help
help:
	@sed -nE 's/^([a-z-]+)[a-z -]*:.*## (.*)/\1\t\2/p' Makefile | expand -t 12
