BUILD ?= build

.PHONY: all
all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet wherry

$(BUILD)/build.ninja:
	@meson setup $(BUILD) $(MESON_ARGS) >/dev/null

.PHONY: test
test: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet
	@tests/run $(BUILD)
