// What follows a matrix product without being a norm: a bias, and an activation, a gate or a residual.
//
// Each thread has its columns, keeps their bias in registers and goes through every `gridDim.x`-th row.
#include "common.cuh"

// In bf16 the quick forms of the special function units are exact enough; in f32 they are not.
template <typename T> __device__ inline float over_one_plus_exp(float x, float exponent) {
    return __fdividef(x, 1.0f + __expf(exponent));
}
template <> __device__ inline float over_one_plus_exp<float>(float x, float exponent) {
    return x / (1.0f + expf(exponent));
}

struct Identity {
    template <typename T> static __device__ inline float of(float x) { return x; }
};

// The tanh approximation, through `(1 + tanh u) / 2 = 1 / (1 + exp(-2u))`.
struct GeluTanh {
    template <typename T> static __device__ inline float of(float x) {
        const float u = 0.7978846f * (x + 0.044715f * x * x * x);
        return over_one_plus_exp<T>(x, -2.0f * u);
    }
};

struct GeluErf {
    template <typename T> static __device__ inline float of(float x) {
        return 0.5f * x * (1.0f + erff(x * 0.70710678f));
    }
};

struct GeluQuick {
    template <typename T> static __device__ inline float of(float x) {
        return over_one_plus_exp<T>(x, -1.702f * x);
    }
};

template <typename T, int N> __device__ inline void load_or_zero(const T* from, float (&to)[N]) {
    if (from != nullptr) {
        load(from, to);
    } else {
#pragma unroll
        for (int i = 0; i < N; ++i) to[i] = 0.0f;
    }
}

// `out = F(x + bias)`; `bias` may be null.
template <typename T, int N, typename F>
__device__ inline void bias_activation(const T* __restrict__ x, const T* __restrict__ bias,
                                       T* __restrict__ out, unsigned int rows, unsigned int width) {
    const unsigned int column = own_column<N>();
    if (column >= width) return;
    float biases[N];
    load_or_zero(bias == nullptr ? nullptr : bias + column, biases);
#pragma unroll 4
    for (unsigned int row = blockIdx.x; row < rows; row += gridDim.x) {
        const size_t at = static_cast<size_t>(row) * width + column;
        float values[N];
        load(x + at, values);
#pragma unroll
        for (int i = 0; i < N; ++i) values[i] = F::template of<T>(values[i] + biases[i]);
        store(out + at, values);
    }
}

// `out = x + bias + residual`, where row `i` has row `i % residual_rows` added; `bias` may be null.
template <typename T, int N>
__device__ inline void bias_residual(const T* __restrict__ x, const T* __restrict__ bias,
                                     const T* __restrict__ residual, unsigned int residual_rows,
                                     T* __restrict__ out, unsigned int rows, unsigned int width) {
    const unsigned int column = own_column<N>();
    if (column >= width) return;
    float biases[N];
    load_or_zero(bias == nullptr ? nullptr : bias + column, biases);
#pragma unroll 4
    for (unsigned int row = blockIdx.x; row < rows; row += gridDim.x) {
        const size_t at = static_cast<size_t>(row) * width + column;
        float values[N], others[N];
        load(x + at, values);
        load(residual + static_cast<size_t>(row % residual_rows) * width + column, others);
#pragma unroll
        for (int i = 0; i < N; ++i) values[i] = values[i] + biases[i] + others[i];
        store(out + at, values);
    }
}

// `out = silu(gate) · up` for rows `[gate | up]` of `2 · inner` values; `bias`, as long as such a row, may be null.
template <typename T, int N>
__device__ inline void swiglu(const T* __restrict__ x, const T* __restrict__ bias,
                              T* __restrict__ out, unsigned int rows, unsigned int inner) {
    const unsigned int column = own_column<N>();
    if (column >= inner) return;
    float of_gate[N], of_up[N];
    load_or_zero(bias == nullptr ? nullptr : bias + column, of_gate);
    load_or_zero(bias == nullptr ? nullptr : bias + inner + column, of_up);
#pragma unroll 4
    for (unsigned int row = blockIdx.x; row < rows; row += gridDim.x) {
        const T* gate = x + static_cast<size_t>(row) * 2 * inner + column;
        float gates[N], ups[N];
        load(gate, gates);
        load(gate + inner, ups);
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const float value = gates[i] + of_gate[i];
            gates[i] = over_one_plus_exp<T>(value, -value) * (ups[i] + of_up[i]);
        }
        store(out + static_cast<size_t>(row) * inner + column, gates);
    }
}

#define DEFINE_ACTIVATION(NAME, T, N, F)                                                           \
    extern "C" __global__ void __launch_bounds__(256)                                              \
        NAME(const T* x, const T* bias, T* out, unsigned int rows, unsigned int width) {           \
        bias_activation<T, N, F>(x, bias, out, rows, width);                                       \
    }
#define DEFINE_PLAIN(NAME, T, N) DEFINE_ACTIVATION(NAME, T, N, Identity)
#define DEFINE_TANH(NAME, T, N) DEFINE_ACTIVATION(NAME, T, N, GeluTanh)
#define DEFINE_ERF(NAME, T, N) DEFINE_ACTIVATION(NAME, T, N, GeluErf)
#define DEFINE_QUICK(NAME, T, N) DEFINE_ACTIVATION(NAME, T, N, GeluQuick)

#define DEFINE_RESIDUAL(NAME, T, N)                                                                \
    extern "C" __global__ void __launch_bounds__(256)                                              \
        NAME(const T* x, const T* bias, const T* residual, unsigned int residual_rows, T* out,     \
             unsigned int rows, unsigned int width) {                                              \
        bias_residual<T, N>(x, bias, residual, residual_rows, out, rows, width);                   \
    }

#define DEFINE_SWIGLU(NAME, T, N)                                                                  \
    extern "C" __global__ void __launch_bounds__(256)                                              \
        NAME(const T* x, const T* bias, T* out, unsigned int rows, unsigned int inner) {           \
        swiglu<T, N>(x, bias, out, rows, inner);                                                   \
    }

FOR_ALL_TYPES(DEFINE_PLAIN, bias)
FOR_ALL_TYPES(DEFINE_TANH, bias_gelu_tanh)
FOR_ALL_TYPES(DEFINE_ERF, bias_gelu_erf)
FOR_ALL_TYPES(DEFINE_QUICK, bias_gelu_quick)
FOR_ALL_TYPES(DEFINE_RESIDUAL, bias_residual)
FOR_ALL_TYPES(DEFINE_SWIGLU, swiglu)
