// Bias and rotary embedding of a joint projection `[query heads | key heads | value heads]`, in its own layout.
#include "common.cuh"

// The first `rotated` of `heads` heads of `2 · half` values are turned by the row's angles, `[rows, half]` in f32; the
// others have only their bias added, which may be null. A thread has `N` pairs of one head and goes through every
// `gridDim.x`-th row.
template <typename T, int N>
__device__ inline void rotate(const T* __restrict__ x, const T* __restrict__ bias,
                              const float* __restrict__ cosines, const float* __restrict__ sines,
                              T* __restrict__ out, unsigned int rows, unsigned int heads,
                              unsigned int rotated, unsigned int half) {
    const unsigned int pair = own_column<N>();
    if (pair >= heads * half) return;
    const unsigned int head = pair / half;
    const unsigned int within = pair % half;
    const unsigned int column = head * 2 * half + within;
    float bias_a[N], bias_b[N];
#pragma unroll
    for (int i = 0; i < N; ++i) bias_a[i] = bias_b[i] = 0.0f;
    if (bias != nullptr) {
        load(bias + column, bias_a);
        load(bias + column + half, bias_b);
    }
#pragma unroll 2
    for (unsigned int row = blockIdx.x; row < rows; row += gridDim.x) {
        const size_t at = static_cast<size_t>(row) * heads * 2 * half + column;
        float a[N], b[N];
        load(x + at, a);
        load(x + at + half, b);
#pragma unroll
        for (int i = 0; i < N; ++i) {
            a[i] += bias_a[i];
            b[i] += bias_b[i];
        }
        if (head < rotated) {
            const size_t angle = static_cast<size_t>(row) * half + within;
            float c[N], s[N];
            load(cosines + angle, c);
            load(sines + angle, s);
#pragma unroll
            for (int i = 0; i < N; ++i) {
                const float turned = a[i] * c[i] - b[i] * s[i];
                b[i] = b[i] * c[i] + a[i] * s[i];
                a[i] = turned;
            }
        }
        store(out + at, a);
        store(out + at + half, b);
    }
}

#define DEFINE_ROTATE(NAME, T, N)                                                                  \
    extern "C" __global__ void __launch_bounds__(256)                                              \
        NAME(const T* x, const T* bias, const float* cosines, const float* sines, T* out,          \
             unsigned int rows, unsigned int heads, unsigned int rotated, unsigned int half) {     \
        rotate<T, N>(x, bias, cosines, sines, out, rows, heads, rotated, half);                    \
    }

FOR_ALL_TYPES(DEFINE_ROTATE, rotate)
