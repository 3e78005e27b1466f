// Rows of a matrix that are chosen, summed or mixed.
#include "common.cuh"

// `partial[c]` is the f32 sum of the rows `members[starts[c]..starts[c + 1]]` of `x`, in that order, for a chunk
// `c = blockIdx.x`.
template <typename T, int N>
__device__ inline void sum_chunk(const T* __restrict__ x, const unsigned int* __restrict__ members,
                                 const unsigned int* __restrict__ starts,
                                 float* __restrict__ partial, unsigned int width) {
    const unsigned int column = own_column<N>();
    if (column >= width) return;
    float sums[N];
#pragma unroll
    for (int i = 0; i < N; ++i) sums[i] = 0.0f;
    const unsigned int end = starts[blockIdx.x + 1];
#pragma unroll 4
    for (unsigned int member = starts[blockIdx.x]; member < end; ++member) {
        float values[N];
        load(x + static_cast<size_t>(members[member]) * width + column, values);
#pragma unroll
        for (int i = 0; i < N; ++i) sums[i] += values[i];
    }
    store(partial + static_cast<size_t>(blockIdx.x) * width + column, sums);
}

// `sums[s]` is the sum of the rows `starts[s]..starts[s + 1]` of `partial`, in that order, for a set `s = blockIdx.x`.
template <int N>
__device__ inline void sum_set(const float* __restrict__ partial,
                               const unsigned int* __restrict__ starts, float* __restrict__ sums,
                               unsigned int width) {
    const unsigned int column = own_column<N>();
    if (column >= width) return;
    float total[N];
#pragma unroll
    for (int i = 0; i < N; ++i) total[i] = 0.0f;
    const unsigned int end = starts[blockIdx.x + 1];
#pragma unroll 4
    for (unsigned int chunk = starts[blockIdx.x]; chunk < end; ++chunk) {
        float values[N];
        load(partial + static_cast<size_t>(chunk) * width + column, values);
#pragma unroll
        for (int i = 0; i < N; ++i) total[i] += values[i];
    }
    store(sums + static_cast<size_t>(blockIdx.x) * width + column, total);
}

// Row `r` of `out` is the sum of `share · x[source]` over the row's `corners` sources; those without a share are not
// read. Without `shares` each row is that of its first source.
template <typename T, int N>
__device__ inline void mix(const T* __restrict__ x, const unsigned int* __restrict__ sources,
                           const float* __restrict__ shares, T* __restrict__ out, unsigned int rows,
                           unsigned int corners, unsigned int width) {
    const unsigned int column = own_column<N>();
    if (column >= width) return;
#pragma unroll 4
    for (unsigned int row = blockIdx.x; row < rows; row += gridDim.x) {
        const size_t first = static_cast<size_t>(row) * corners;
        float values[N];
        load(x + static_cast<size_t>(sources[first]) * width + column, values);
        if (shares != nullptr) {
            const float own = shares[first];
#pragma unroll
            for (int i = 0; i < N; ++i) values[i] *= own;
            for (unsigned int corner = 1; corner < corners; ++corner) {
                const float share = shares[first + corner];
                if (share == 0.0f) continue;
                float others[N];
                load(x + static_cast<size_t>(sources[first + corner]) * width + column, others);
#pragma unroll
                for (int i = 0; i < N; ++i) values[i] += share * others[i];
            }
        }
        store(out + static_cast<size_t>(row) * width + column, values);
    }
}

#define DEFINE_SUM_CHUNK(NAME, T, N)                                                               \
    extern "C" __global__ void __launch_bounds__(256)                                              \
        NAME(const T* x, const unsigned int* members, const unsigned int* starts, float* partial,  \
             unsigned int width) {                                                                 \
        sum_chunk<T, N>(x, members, starts, partial, width);                                       \
    }

#define DEFINE_SUM_SET(NAME, T, N)                                                                 \
    extern "C" __global__ void __launch_bounds__(256)                                              \
        NAME(const T* partial, const unsigned int* starts, T* sums, unsigned int width) {          \
        sum_set<N>(partial, starts, sums, width);                                                  \
    }

#define DEFINE_MIX(NAME, T, N)                                                                     \
    extern "C" __global__ void __launch_bounds__(256)                                              \
        NAME(const T* x, const unsigned int* sources, const float* shares, T* out,                 \
             unsigned int rows, unsigned int corners, unsigned int width) {                        \
        mix<T, N>(x, sources, shares, out, rows, corners, width);                                  \
    }

FOR_ALL_TYPES(DEFINE_SUM_CHUNK, sum_chunks)
DEFINE_SUM_SET(sum_sets_f32x4, float, 4)
DEFINE_SUM_SET(sum_sets_f32, float, 1)
FOR_ALL_TYPES(DEFINE_MIX, mix_rows)
