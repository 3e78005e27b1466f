// From 8-bit levels `[height, width, 3]` to normalised patches in the order of a convolution's weight.
#include "common.cuh"

// A corner says of a patch at one time, of `depth`: `x` where its first level is, `y` how many levels lie between the
// beginnings of two rows of its picture, `z` the table that normalises it, or `BLANK`: all values are 0. A table is
// the value of every level of every channel, `[3, 256]`. A row of `out` is channel, time, row and column of a patch of
// `side` pixels, and zeros behind it up to `width`. A thread has `N` columns and goes through every `gridDim.x`-th row.
template <typename T, int N>
__device__ inline void cut(const unsigned char* __restrict__ levels,
                           const uint4* __restrict__ corners, const float* __restrict__ tables,
                           T* __restrict__ out, unsigned int rows, unsigned int side,
                           unsigned int depth, unsigned int width) {
    constexpr unsigned int BLANK = 0xffffffffu;
    const unsigned int column = own_column<N>();
    if (column >= width) return;
    unsigned int channel[N], time[N], line[N], along[N];
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const unsigned int at = column + i;
        along[i] = at % side * 3;
        line[i] = at / side % side;
        time[i] = at / (side * side) % depth;
        channel[i] = at / (side * side * depth);
    }
    for (unsigned int row = blockIdx.x; row < rows; row += gridDim.x) {
        float values[N];
#pragma unroll
        for (int i = 0; i < N; ++i) {
            values[i] = 0.0f;
            if (channel[i] < 3) {
                const uint4 corner = corners[static_cast<size_t>(row) * depth + time[i]];
                if (corner.z != BLANK) {
                    const size_t at = static_cast<size_t>(corner.x) +
                                      static_cast<size_t>(line[i]) * corner.y + along[i] +
                                      channel[i];
                    values[i] = tables[(corner.z * 3 + channel[i]) * 256 + levels[at]];
                }
            }
        }
        store(out + static_cast<size_t>(row) * width + column, values);
    }
}

#define DEFINE_CUT(NAME, T, N)                                                                     \
    extern "C" __global__ void __launch_bounds__(256)                                              \
        NAME(const unsigned char* levels, const uint4* corners, const float* tables, T* out,       \
             unsigned int rows, unsigned int side, unsigned int depth, unsigned int width) {       \
        cut<T, N>(levels, corners, tables, out, rows, side, depth, width);                         \
    }

FOR_ALL_TYPES(DEFINE_CUT, cut_patches)
