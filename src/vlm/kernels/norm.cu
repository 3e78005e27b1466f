// `sum = x + bias + residual`, and RMS or layer norm of it, in one pass over memory. One block for each row.
#include "common.cuh"

// The sum of `value` over all threads of the block; `scratch` is used for one sum only.
__device__ inline float block_sum(float value, float* scratch) {
    for (int offset = 16; offset > 0; offset /= 2) {
        value += __shfl_xor_sync(0xffffffffu, value, offset);
    }
    if (threadIdx.x % 32 == 0) {
        scratch[threadIdx.x / 32] = value;
    }
    __syncthreads();
    float total = 0.0f;
    for (unsigned int warp = 0; warp < blockDim.x / 32; ++warp) {
        total += scratch[warp];
    }
    return total;
}

// `bias`, `residual`, `sum` and `norm_bias` may be null. What is normalised is the sum as it is stored. Row `i` has row
// `i % residual_rows` added. A thread keeps its first values in registers; a row wider than the block's is read again.
template <typename T, int N, bool LAYER>
__device__ inline void sum_and_norm(const T* x, const T* bias, const T* residual,
                                    unsigned int residual_rows, const T* weight, const T* norm_bias,
                                    float eps, T* sum, T* normed, unsigned int width) {
    __shared__ float of_values[32];
    __shared__ float of_squares[32];
    const size_t start = static_cast<size_t>(blockIdx.x) * width;
    const size_t residual_start = static_cast<size_t>(blockIdx.x % residual_rows) * width;
    const unsigned int first = threadIdx.x * N;
    const unsigned int step = blockDim.x * N;

    auto read = [&](unsigned int at, float(&values)[N]) {
        load(x + start + at, values);
        float others[N];
        if (bias != nullptr) {
            load(bias + at, others);
#pragma unroll
            for (int i = 0; i < N; ++i) values[i] += others[i];
        }
        if (residual != nullptr) {
            load(residual + residual_start + at, others);
#pragma unroll
            for (int i = 0; i < N; ++i) values[i] += others[i];
        }
#pragma unroll
        for (int i = 0; i < N; ++i) values[i] = rounded<T>(values[i]);
    };
    auto write = [&](unsigned int at, const float(&values)[N], float mean, float scale) {
        float weights[N], out[N];
        load(weight + at, weights);
#pragma unroll
        for (int i = 0; i < N; ++i) out[i] = (values[i] - mean) * scale * weights[i];
        if (norm_bias != nullptr) {
            load(norm_bias + at, weights);
#pragma unroll
            for (int i = 0; i < N; ++i) out[i] += weights[i];
        }
        store(normed + start + at, out);
    };

    float kept[N] = {}, others[N];
    float total = 0.0f, squares = 0.0f;
    auto count = [&](const float(&values)[N]) {
#pragma unroll
        for (int i = 0; i < N; ++i) {
            if (LAYER) {
                total += values[i];
            } else {
                squares += values[i] * values[i];
            }
        }
    };
    if (first < width) {
        read(first, kept);
        if (sum != nullptr) store(sum + start + first, kept);
        count(kept);
    }
#pragma unroll 1
    for (unsigned int at = first + step; at < width; at += step) {
        read(at, others);
        if (sum != nullptr) store(sum + start + at, others);
        count(others);
    }

    float mean = 0.0f;
    if (LAYER) {
        // Two passes: the difference of mean(x²) and mean(x)² loses digits in f32.
        mean = block_sum(total, of_values) / width;
        auto add_squares = [&](const float(&values)[N]) {
#pragma unroll
            for (int i = 0; i < N; ++i) squares += (values[i] - mean) * (values[i] - mean);
        };
        if (first < width) add_squares(kept);
#pragma unroll 1
    for (unsigned int at = first + step; at < width; at += step) {
            read(at, others);
            add_squares(others);
        }
    }
    const float scale = rsqrtf(block_sum(squares, of_squares) / width + eps);

    if (first < width) write(first, kept, mean, scale);
#pragma unroll 1
    for (unsigned int at = first + step; at < width; at += step) {
        read(at, others);
        write(at, others, mean, scale);
    }
}

#define DEFINE_RMS(NAME, T, N)                                                                     \
    extern "C" __global__ void __launch_bounds__(1024, 1)                                            \
        NAME(const T* x, const T* bias, const T* residual, unsigned int residual_rows,             \
             const T* weight, const T* norm_bias, float eps, T* sum, T* normed,                    \
             unsigned int width) {                                                                 \
        sum_and_norm<T, N, false>(x, bias, residual, residual_rows, weight, norm_bias, eps, sum,   \
                                  normed, width);                                                  \
    }

#define DEFINE_LAYER(NAME, T, N)                                                                   \
    extern "C" __global__ void __launch_bounds__(1024, 1)                                            \
        NAME(const T* x, const T* bias, const T* residual, unsigned int residual_rows,             \
             const T* weight, const T* norm_bias, float eps, T* sum, T* normed,                    \
             unsigned int width) {                                                                 \
        sum_and_norm<T, N, true>(x, bias, residual, residual_rows, weight, norm_bias, eps, sum,    \
                                 normed, width);                                                   \
    }

FOR_ALL_TYPES(DEFINE_RMS, rms_norm)
FOR_ALL_TYPES(DEFINE_LAYER, layer_norm)
