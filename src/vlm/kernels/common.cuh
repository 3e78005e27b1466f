// What the kernels share: values of a row in f32 registers, read and written 16 bytes at a time where a row allows it.
//
// `T` is the precision of tensors and `N` how many values a thread treats at a time: 8 of bf16 or 4 of f32 where widths
// and addresses are multiples of 16 bytes, else 1. All arithmetic is in f32 and every sum has a fixed order.
#pragma once

#include <cuda_bf16.h>

#include <cstddef>
#include <cstdint>

using bf16 = __nv_bfloat16;

__device__ inline float widen(float x) { return x; }
__device__ inline float widen(bf16 x) { return __bfloat162float(x); }

template <typename T> __device__ inline T narrow(float x);
template <> __device__ inline float narrow<float>(float x) { return x; }
template <> __device__ inline bf16 narrow<bf16>(float x) { return __float2bfloat16_rn(x); }

// The value as it will be stored.
template <typename T> __device__ inline float rounded(float x) { return widen(narrow<T>(x)); }

template <typename T, int N> __device__ inline void load(const T* from, float (&to)[N]) {
    static_assert(N == 1, "no wide access to these values");
    to[0] = widen(*from);
}

template <typename T, int N> __device__ inline void store(T* to, const float (&from)[N]) {
    static_assert(N == 1, "no wide access to these values");
    *to = narrow<T>(from[0]);
}

template <> __device__ inline void load(const float* from, float (&to)[4]) {
    const float4 raw = *reinterpret_cast<const float4*>(from);
    to[0] = raw.x;
    to[1] = raw.y;
    to[2] = raw.z;
    to[3] = raw.w;
}

template <> __device__ inline void store(float* to, const float (&from)[4]) {
    *reinterpret_cast<float4*>(to) = make_float4(from[0], from[1], from[2], from[3]);
}

template <> __device__ inline void load(const float* from, float (&to)[8]) {
    const float4 low = *reinterpret_cast<const float4*>(from);
    const float4 high = *reinterpret_cast<const float4*>(from + 4);
    to[0] = low.x;
    to[1] = low.y;
    to[2] = low.z;
    to[3] = low.w;
    to[4] = high.x;
    to[5] = high.y;
    to[6] = high.z;
    to[7] = high.w;
}

template <> __device__ inline void store(float* to, const float (&from)[8]) {
    reinterpret_cast<float4*>(to)[0] = make_float4(from[0], from[1], from[2], from[3]);
    reinterpret_cast<float4*>(to)[1] = make_float4(from[4], from[5], from[6], from[7]);
}

// bf16 is the upper half of an f32; the first of two values is the lower half of a word.
__device__ inline float first_of(unsigned int pair) { return __uint_as_float(pair << 16); }
__device__ inline float second_of(unsigned int pair) { return __uint_as_float(pair & 0xffff0000u); }

__device__ inline unsigned int pair_of(float first, float second) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(first, second);
    return *reinterpret_cast<const unsigned int*>(&pair);
}

template <> __device__ inline void load(const bf16* from, float (&to)[8]) {
    const uint4 raw = *reinterpret_cast<const uint4*>(from);
    const unsigned int pairs[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        to[2 * i] = first_of(pairs[i]);
        to[2 * i + 1] = second_of(pairs[i]);
    }
}

template <> __device__ inline void store(bf16* to, const float (&from)[8]) {
    *reinterpret_cast<uint4*>(to) =
        make_uint4(pair_of(from[0], from[1]), pair_of(from[2], from[3]), pair_of(from[4], from[5]),
                   pair_of(from[6], from[7]));
}

// The first column of this thread where a row is spread over `blockIdx.y` and the threads of a block.
template <int N> __device__ inline unsigned int own_column() {
    return (blockIdx.y * blockDim.x + threadIdx.x) * N;
}

// Defines `NAME_bf16x8`, `NAME_bf16`, `NAME_f32x4` and `NAME_f32` for a macro of a name, a type and a width.
#define FOR_ALL_TYPES(DEFINE, NAME)     \
    DEFINE(NAME##_bf16x8, bf16, 8)      \
    DEFINE(NAME##_bf16, bf16, 1)        \
    DEFINE(NAME##_f32x4, float, 4)      \
    DEFINE(NAME##_f32, float, 1)
