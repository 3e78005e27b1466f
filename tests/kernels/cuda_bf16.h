// What the kernels use of CUDA C++, for an ordinary C++ compiler: see run.h for how threads and barriers work.
#pragma once

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstdint>

#define __global__
#define __device__
#define __launch_bounds__(...)
// Blocks run one after the other, on the system's thread that asked for them.
#define __shared__ static thread_local

struct Index3 {
    unsigned int x, y, z;
};

namespace emulation {
extern thread_local Index3 block_index, block_size, grid_size;
Index3& thread_index();
void wait_for_block();
float exchange(float value, unsigned int from_lane_xor);
}  // namespace emulation

#define threadIdx (emulation::thread_index())
#define blockIdx (emulation::block_index)
#define blockDim (emulation::block_size)
#define gridDim (emulation::grid_size)

inline void __syncthreads() { emulation::wait_for_block(); }

inline float __shfl_xor_sync(unsigned int mask, float value, int lanes) {
    if (mask != 0xffffffffu) std::abort();
    return emulation::exchange(value, static_cast<unsigned int>(lanes));
}

struct alignas(16) float4 {
    float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

struct alignas(16) uint4 {
    unsigned int x, y, z, w;
};
inline uint4 make_uint4(unsigned int x, unsigned int y, unsigned int z, unsigned int w) {
    return {x, y, z, w};
}

inline float __uint_as_float(unsigned int bits) { return std::bit_cast<float>(bits); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __fdividef(float x, float y) { return x / y; }

struct __nv_bfloat16 {
    uint16_t bits;
};
struct alignas(4) __nv_bfloat162 {
    __nv_bfloat16 x, y;
};

inline float __bfloat162float(__nv_bfloat16 x) {
    return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16);
}

// To the nearest, ties to even.
inline __nv_bfloat16 __float2bfloat16_rn(float x) {
    if (std::isnan(x)) return {0x7fff};
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

inline __nv_bfloat162 __floats2bfloat162_rn(float first, float second) {
    return {__float2bfloat16_rn(first), __float2bfloat16_rn(second)};
}
