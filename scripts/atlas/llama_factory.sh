#!/usr/bin/env bash
# A proxy run for `madmix atlas run`: trains with LLaMA-Factory on a mixture and evaluates with lmms-eval.
#
#     scripts/atlas/llama_factory.sh MIXTURE OUT SEED
#
# MIXTURE is the folder with dataset_info.json and mixture.yaml. Meant as `command` of [atlas.proxy] with
# `export = "llama-factory"`; see configs/atlas_llama_factory.toml. Uses the GPUs of CUDA_VISIBLE_DEVICES. In the
# environment:
#
#     CHECKPOINT      what training starts from (default: Qwen/Qwen2-VL-2B)
#     TEMPLATE        LLaMA-Factory's name for its chat template (default: qwen2_vl)
#     LMMS_MODEL      lmms-eval's name for the model (default: qwen2_vl)
#     TASKS           tasks of lmms-eval (default: ai2d,chartqa,ocrbench,mmstar)
#     LIMIT           questions of each task; all if not said
#     BATCH           samples of a step, over all GPUs (default 64), PER_GPU of them at a time on each (default 1)
#     DEEPSPEED       a DeepSpeed config; none if not said
#     KEEP            1 to keep the trained model, some gigabytes of each run
#
# Written against LLaMA-Factory ff6d4d12 and the documented command line of lmms-eval; it has not been run here.
set -euo pipefail

(($# == 3)) || {
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}
mixture=$1 out=$2 seed=$3
checkpoint=${CHECKPOINT:-Qwen/Qwen2-VL-2B}
tasks=${TASKS:-ai2d,chartqa,ocrbench,mmstar}
IFS=, read -ra gpus <<<"${CUDA_VISIBLE_DEVICES:-0}"
per_gpu=${PER_GPU:-1}
steps=$((${BATCH:-64} / (per_gpu * ${#gpus[@]})))
((steps > 0)) || {
    echo "BATCH must be at least PER_GPU x ${#gpus[@]} GPUs" >&2
    exit 2
}

# A run that is tried again after its evaluation failed does not train again, unless it would be another training.
settings=$(printf '%s\n' "$checkpoint" "${TEMPLATE:-qwen2_vl}" "${DEEPSPEED:-}" \
    "$((steps * per_gpu * ${#gpus[@]}))" "${MADMIX_BUDGET:-}" "$mixture" "$seed")
if [[ $(cat "$out/trained" 2>/dev/null) != "$settings" ]]; then
    rm -rf "$out/model" "$out/trained"
    # An epoch is the budget: dataset_info.json says how many rows of each dataset are taken.
    cat "$mixture/mixture.yaml" - >"$out/train.yaml" <<YAML
model_name_or_path: "$checkpoint"
image_max_pixels: 262144
video_max_pixels: 16384
stage: sft
do_train: true
finetuning_type: full
freeze_vision_tower: true
freeze_multi_modal_projector: true
template: ${TEMPLATE:-qwen2_vl}
cutoff_len: 4096
preprocessing_num_workers: 8
dataloader_num_workers: 4
output_dir: "$out/model"
overwrite_output_dir: true
save_strategy: "no"
save_only_model: true
logging_steps: 10
report_to: none
per_device_train_batch_size: $per_gpu
gradient_accumulation_steps: $steps
learning_rate: 1.0e-5
num_train_epochs: 1.0
lr_scheduler_type: cosine
warmup_ratio: 0.03
bf16: true
seed: $seed
${DEEPSPEED:+deepspeed: "$DEEPSPEED"}
YAML
    FORCE_TORCHRUN=1 NPROC_PER_NODE=${#gpus[@]} llamafactory-cli train "$out/train.yaml"
    printf '%s\n' "$settings" >"$out/trained"
fi

rm -rf "$out/eval"
accelerate launch --num_processes="${#gpus[@]}" --main_process_port 0 -m lmms_eval \
    --model "${LMMS_MODEL:-qwen2_vl}" \
    --model_args "pretrained=$out/model" \
    --tasks "$tasks" \
    --batch_size 1 \
    ${LIMIT:+--limit "$LIMIT"} \
    --output_path "$out/eval"

# lmms-eval writes OUTPUT/MODEL/TIME_results.json, which is read as it is: benchmarks are called TASK/METRIC.
results=$(find "$out/eval" -name '*results.json' | sort | tail -n 1)
[[ -n $results ]] || {
    echo "lmms-eval left no results.json in $out/eval" >&2
    exit 1
}
cp "$results" "$out/metrics.json"
[[ ${KEEP:-0} == 1 ]] || rm -rf "$out/model" "$out/trained"
