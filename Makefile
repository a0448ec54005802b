# `make demo` and `make test` set up their own environment. They need only Python 3.11+ and network
# access to a package index.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SHELL := /bin/bash
export TF_CPP_MIN_LOG_LEVEL ?= 2
export TF_ENABLE_ONEDNN_OPTS ?= 1

.PHONY: setup demo test test-jax test-torch test-slow test-kills test-tftrt test-rtx test-serving test-consumers lint format bench bench-backends bench-pytorch gpu-bundle results pictures tutorial wheel buildifier clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit("keras_fasterseg needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

demo: setup
	$(BIN)/python -m tools.run_all --flagfile=flags/presets/demo.flags --workdir=runs/demo

test: setup
	$(BIN)/python -m pytest -n 2 --dist worksteal

# Keras on JAX and on PyTorch, in environments without TensorFlow. XLA keeps what it has compiled
# for the next call.
test-jax: export JAX_COMPILATION_CACHE_DIR := $(CURDIR)/.venv-jax/compiled
test-jax: export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS := 0
test-jax test-torch: test-%: .venv-%/.ready
	KERAS_BACKEND=$* .venv-$*/bin/python -m pytest -p tests.no_skips -n 2 --dist worksteal tests $(wildcard tests/environments/$*)

.venv-jax/.ready .venv-torch/.ready: .venv-%/.ready: pyproject.toml requirements.txt
	test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -c requirements.txt \
		-e ".[$*,video,serving,evolution]" onnx onnxruntime onnxslim openvino pytest pytest-timeout pytest-xdist
	touch $@

test-slow: setup
	$(BIN)/python -m pytest -m slow

# Kills runs of all spaces, twenty times in all, and prints where.
test-kills: setup
	$(BIN)/python -m pytest -m slow -s tests/integration/kills_test.py

# TensorFlow 2.17.1, the last version with TF-TRT compiled in, in a separate environment. Neither a
# GPU nor TensorRT is needed: TensorRT is called only after TensorFlow has partitioned the graph.
test-tftrt: .venv-tftrt/.ready
	.venv-tftrt/bin/python -m pytest tests/environments/tftrt

.venv-tftrt/.ready: pyproject.toml
	test -x .venv-tftrt/bin/python || $(PYTHON) -m venv .venv-tftrt
	.venv-tftrt/bin/python -m pip install --quiet --disable-pip-version-check "setuptools>=77" -e ".[tftrt]" \
		keras==3.15.1 pytest==9.2.0 pytest-timeout==2.4.0
	touch $@

# Real TensorRT-RTX engines in a separate environment; the builder needs no GPU.
test-rtx: .venv-rtx/.ready
	.venv-rtx/bin/python -m pytest -n 0 -rA --log-level=INFO tests/environments/rtx

.venv-rtx/.ready: requirements.txt requirements-rtx.txt
	test -x .venv-rtx/bin/python || $(PYTHON) -m venv .venv-rtx
	.venv-rtx/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-rtx.txt
	touch $@

# Real servers on 127.0.0.1: kserve and a PredictionService in the clients' environment, and Triton,
# whose Python backend is linked to Debian's Python. kserve needs an older psutil.
SERVING := tests/environments/serving
TRITON_PYTHON ?= /usr/bin/python3.11
test-serving: .venv-serving/.ready .venv-triton/.ready
	.venv-serving/bin/python -m pytest $(SERVING)

.venv-serving/.ready: requirements.txt $(SERVING)/requirements.txt
	test -x .venv-serving/bin/python || $(PYTHON) -m venv .venv-serving
	.venv-serving/bin/python -m pip install --quiet --disable-pip-version-check -r $(SERVING)/requirements.txt -c <(grep -v ^psutil requirements.txt)
	.venv-serving/bin/python -m pip install --quiet --disable-pip-version-check --no-deps tensorflow-serving-api==2.21.0
	touch $@

.venv-triton/.ready: $(SERVING)/requirements-triton.txt
	test -x .venv-triton/bin/python || $(TRITON_PYTHON) -m venv .venv-triton
	.venv-triton/bin/python -m pip install --quiet --disable-pip-version-check -r $(SERVING)/requirements-triton.txt
	touch $@

# Exported ONNX files in programs without this library: an old ONNX Runtime and OpenCV in a separate
# environment, and ONNX Runtime for Node, whose package needs no install script.
CONSUMERS := tests/environments/consumers
test-consumers: setup .venv-consumers/.ready
	CONSUMERS_PYTHON=.venv-consumers/bin/python CONSUMERS_NODE_MODULES=.venv-consumers/node_modules \
		$(BIN)/python -m pytest -n 0 $(CONSUMERS)

.venv-consumers/.ready: $(CONSUMERS)/requirements.txt $(CONSUMERS)/package.json
	test -x .venv-consumers/bin/python || $(PYTHON) -m venv .venv-consumers
	.venv-consumers/bin/python -m pip install --quiet --disable-pip-version-check -r $(CONSUMERS)/requirements.txt
	cp $(CONSUMERS)/package.json .venv-consumers/
	npm install --prefix .venv-consumers --ignore-scripts --no-audit --no-fund --no-package-lock
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python -m tools.benchmarks.supernet_step
	$(BIN)/python -m tools.benchmarks.input_pipeline
	$(BIN)/python -m tools.benchmarks.training_step --num_layers=5 --base_filters=4
	$(BIN)/python -m tools.benchmarks.training_step --num_layers=6 --base_filters=6 \
		--image_size=256x320 --num_classes=11

# The full supernet's steps on TensorFlow and on JAX, one after the other.
bench-backends: setup .venv-jax/.ready
	$(BIN)/python -m tools.benchmarks.supernet_step --output=runs/supernet_step/tensorflow.json
	KERAS_BACKEND=jax .venv-jax/bin/python -m tools.benchmarks.supernet_step --output=runs/supernet_step/jax.json

# Compares the published student's ONNX file with PyTorch's own export of that network, in turns.
PYTORCH := .venv-pytorch
$(PYTORCH)/.ready:
	$(PYTHON) -m venv $(PYTORCH)
	$(PYTORCH)/bin/python -m pip install --quiet --disable-pip-version-check -c requirements.txt \
		torch onnx onnxscript keras numpy absl-py Pillow cityscapesscripts tabulate psutil tqdm
	touch $@

bench-pytorch: setup $(PYTORCH)/.ready
	KERAS_BACKEND=torch $(PYTORCH)/bin/python -m tools.benchmarks.pytorch_export --target=runs/pytorch
	$(BIN)/python -m tools.export --network=runs/pytorch/network.keras --target=runs/pytorch/ours \
		--format=onnx --input_size=512x1024 --overwrite
	$(BIN)/python -m tools.benchmark --artefact=runs/pytorch/model.onnx \
		--side_by_side=runs/pytorch/ours/model.onnx --runtime=onnxruntime --input_size=512x1024 \
		--repetitions=100 --output=runs/pytorch/speed.json

# Packs the GPU harness with CamVid and its wheels for a machine without network; see docs/gpu.md.
gpu-bundle: setup
	$(BIN)/python -m tools.benchmarks.gpu.bundle --output=runs/gpu_bundle.tar

# Generates the tables of docs/results.md and docs/scaling.md from docs/results. --record=docs/results adds a run to it.
RESULTS := docs/results
EXPORTS := $(foreach network,student published_student joint_published,$(foreach kind,saved_model_fp32 \
	onnx_fp32 onnx_fp16 onnx_int8 openvino_fp32 openvino_fp16 openvino_int8 litert_fp32 litert_fp16 tensorrt_rtx_fp32 tensorrt_rtx_fp16,\
	$(RESULTS)/exports_$(network)/$(kind))) $(foreach kind,saved_model_fp32 onnx_fp32 onnx_fp16 onnx_int8 \
	openvino_fp32 openvino_fp16 openvino_int8 litert_fp32 litert_fp16 litert_int8,$(RESULTS)/exports_gas/$(kind))
COMMA := ,
SPACE := $(subst ,, )
results: setup
	$(BIN)/python -m tools.maintenance.results --runs=$(RESULTS)/camvid_small,$(RESULTS)/camvid_joint,$(RESULTS)/demo \
		--benchmarks=$(RESULTS)/runtimes.json,$(RESULTS)/camvid_joint_speed.json,$(RESULTS)/bands.json,$(RESULTS)/exports_student/speed.json,$(RESULTS)/exports_published_student/speed.json,$(RESULTS)/exports_joint_published/speed.json \
		--tables=$(RESULTS)/latency_onnxruntime,$(RESULTS)/latency_saved_model,$(RESULTS)/camvid_small,$(RESULTS)/camvid_joint_device,$(RESULTS)/gas_device,$(RESULTS)/autortnet_device \
		--exports=$(subst $(SPACE),$(COMMA),$(strip $(EXPORTS))) \
		--searches=$(RESULTS)/bands_low,$(RESULTS)/bands_high,$(RESULTS)/bands_undivided,$(RESULTS)/free_auto,$(RESULTS)/free_undivided \
		--shrinking=$(RESULTS)/camvid_joint,$(RESULTS)/camvid_joint_without_ssr \
		--recipes=$(RESULTS)/camvid_recipe.json,$(RESULTS)/camvid_preset.json,$(RESULTS)/distillation.json,$(RESULTS)/strategies.json,$(RESULTS)/spaces.json --rankings=$(RESULTS)/ranking_blended.json,$(RESULTS)/ranking_sampled.json \
		--steps=$(subst $(SPACE),$(COMMA),$(patsubst %,$(RESULTS)/search_cost/%.json,fasterseg joint gas gas_dense autortnet)) \
		--videos=$(RESULTS)/video_objects.json
	$(BIN)/python -m tools.maintenance.results --document=docs/scaling.md \
		--communication=$(subst $(SPACE),$(COMMA),$(patsubst %,$(RESULTS)/communication/%.json,fasterseg_pretrain fasterseg_search gas_search fasterseg_student))

# Draws the pictures of README.md and docs/ from docs/results.
PICTURES := docs/pictures
pictures: setup
	$(BIN)/python -m tools.draw_architecture --genotype=fasterseg_student --output=$(PICTURES)/fasterseg_student.svg \
		--latency_table=$(RESULTS)/latency_onnxruntime/latency/latency_table.json
	$(BIN)/python -m tools.draw_architecture --genotype=joint_published --output=$(PICTURES)/joint_published.svg
	$(BIN)/python -m tools.draw_architecture --genotype=$(RESULTS)/gas/guided_0/search/student.json --input_size=352x480 --num_classes=11 \
		--output=$(PICTURES)/gas_student.svg --latency_table=$(RESULTS)/gas_device/latency/latency_table.json
	$(BIN)/python -m tools.draw_architecture --genotype=$(RESULTS)/spaces/autortnet_0/search/student.json --input_size=352x480 --num_classes=11 \
		--output=$(PICTURES)/autortnet_student.svg --latency_table=$(RESULTS)/autortnet_device/latency/latency_table.json
	$(BIN)/python -m tools.draw_architecture --genotype=$(RESULTS)/spaces/autortnet_fast_0/search/student.json --input_size=352x480 --num_classes=11 \
		--output=$(PICTURES)/autortnet_fast_student.svg --latency_table=$(RESULTS)/autortnet_device/latency/latency_table.json
	$(BIN)/python -m tools.draw_search --workdir=$(RESULTS)/camvid_small --output=$(PICTURES)/camvid_small
	$(BIN)/python -m tools.draw_search --workdir=$(RESULTS)/camvid_joint --output=$(PICTURES)/camvid_joint
	$(BIN)/python -m tools.draw_search --workdir=$(RESULTS)/bands_high --output=$(PICTURES)/bands_high
	$(BIN)/python -m tools.draw_search --workdir=$(RESULTS)/strategies/evolution_0 --output=$(PICTURES)/evolution
	$(BIN)/python -m tools.draw_search --workdir=$(RESULTS)/strategies/gradient_0 --output=$(PICTURES)/gradient

# Runs docs/tutorial.ipynb, minutes on two CPU cores, and stores what its cells print.
tutorial: setup
	$(BIN)/python -m tools.maintenance.run_notebook --notebook=docs/tutorial.ipynb

# Builds the wheel and tests it in an empty environment, outside the checkout.
wheel: setup
	rm -rf build dist keras_fasterseg.egg-info .venv-wheel
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	rm -rf build keras_fasterseg.egg-info
	$(BIN)/python -m venv .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet --disable-pip-version-check -c requirements.txt "$$(echo dist/*.whl)[cpu]"
	smoke=$(CURDIR)/tests/wheel_smoke.py && python=$(CURDIR)/.venv-wheel/bin/python && cd "$$(mktemp -d)" && "$$python" -I "$$smoke"
	rm -rf .venv-wheel

buildifier:
	npx --yes @bazel/buildifier@8.2.1 -mode=check -lint=warn -warnings=all BUILD

clean:
	rm -rf $(VENV) runs
