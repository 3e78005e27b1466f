#!/usr/bin/env bash
# A proxy run for `madmix atlas run`: trains with LLaVA-NeXT on a mixture and evaluates with lmms-eval.
#
#     scripts/atlas/llava_next.sh MIXTURE.yaml OUT SEED
#
# Meant as `command` of [atlas.proxy] with `export = "llava-next"`; see configs/atlas_llava_next.toml. Uses the GPUs of
# CUDA_VISIBLE_DEVICES. In the environment:
#
#     LLAVA_NEXT      a clone of LLaVA-VL/LLaVA-NeXT, installed with [train], beside lmms-eval and accelerate (needed)
#     CHECKPOINT      what training starts from, before the stage that the mixture is for (needed)
#     TASKS           tasks of lmms-eval (default: ai2d,chartqa,ocrbench,mmstar)
#     LIMIT           questions of each task; all if not said
#     BATCH           samples of a step, over all GPUs (default 64), PER_GPU of them at a time on each (default 1)
#     KEEP            1 to keep the trained model, some gigabytes of each run
#
# Written against LLaVA-NeXT df179663 and the documented command line of lmms-eval; it has not been run here.
set -euo pipefail

(($# == 3)) || {
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}
mixture=$1 out=$2 seed=$3
: "${LLAVA_NEXT:?name a clone of LLaVA-NeXT}" "${CHECKPOINT:?name the checkpoint to start from}"
tasks=${TASKS:-ai2d,chartqa,ocrbench,mmstar}
IFS=, read -ra gpus <<<"${CUDA_VISIBLE_DEVICES:-0}"
per_gpu=${PER_GPU:-1}
steps=$((${BATCH:-64} / (per_gpu * ${#gpus[@]})))
((steps > 0)) || {
    echo "BATCH must be at least PER_GPU x ${#gpus[@]} GPUs" >&2
    exit 2
}

# A run that is tried again after its evaluation failed does not train again, unless it would be another training.
settings=$(printf '%s\n' "$CHECKPOINT" \
    "$((steps * per_gpu * ${#gpus[@]}))" "${MADMIX_BUDGET:-}" "$mixture" "$seed")
if [[ $(cat "$out/trained" 2>/dev/null) != "$settings" ]]; then
    rm -rf "$out/model" "$out/trained"
    # An epoch is the budget: the file says how often each row is seen.
    (cd "$LLAVA_NEXT" && torchrun --standalone --nproc_per_node="${#gpus[@]}" llava/train/train_mem.py \
        --deepspeed scripts/zero3.json \
        --model_name_or_path "$CHECKPOINT" \
        --version qwen_1_5 \
        --data_path "$mixture" \
        --image_folder "${MADMIX_MEDIA_ROOT:-/}" \
        --video_folder "${MADMIX_MEDIA_ROOT:-/}" \
        --mm_tunable_parts mm_vision_tower,mm_mlp_adapter,mm_language_model \
        --mm_vision_tower_lr 2e-6 \
        --vision_tower google/siglip-so400m-patch14-384 \
        --mm_projector_type mlp2x_gelu \
        --mm_vision_select_layer -2 \
        --mm_use_im_start_end False \
        --mm_use_im_patch_token False \
        --group_by_modality_length True \
        --image_aspect_ratio anyres_max_9 \
        --image_grid_pinpoints "(1x1),...,(6x6)" \
        --mm_patch_merge_type spatial_unpad \
        --bf16 True \
        --tf32 True \
        --run_name "madmix-trial-${MADMIX_TRIAL:-0}" \
        --output_dir "$out/model" \
        --num_train_epochs 1 \
        --per_device_train_batch_size "$per_gpu" \
        --gradient_accumulation_steps "$steps" \
        --evaluation_strategy no \
        --save_strategy no \
        --learning_rate 1e-5 \
        --weight_decay 0. \
        --warmup_ratio 0.03 \
        --lr_scheduler_type cosine \
        --logging_steps 10 \
        --model_max_length 32768 \
        --gradient_checkpointing True \
        --dataloader_num_workers 4 \
        --lazy_preprocess True \
        --dataloader_drop_last True \
        --frames_upbound 32 \
        --seed "$seed" \
        --report_to none)
    printf '%s\n' "$settings" >"$out/trained"
fi

rm -rf "$out/eval"
accelerate launch --num_processes="${#gpus[@]}" --main_process_port 0 -m lmms_eval \
    --model llava_onevision \
    --model_args "pretrained=$out/model,conv_template=qwen_1_5,model_name=llava_qwen" \
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
