// Runs kernels as cuLaunchKernel would, on the processor: blocks one after the other, the threads of a block as fibers
// that run until a barrier or a shuffle. What a card would do with wrong arguments or with barriers that some threads
// never reach is undefined; here it is an error with a message.
#pragma once

#include "cuda_bf16.h"

#include <ucontext.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace emulation {

enum class State { Ready, AtBarrier, AtShuffle, Done };

struct Fiber {
    static constexpr size_t STACK = 64 * 1024;
    ucontext_t context;
    std::unique_ptr<char[]> stack{new char[STACK]};
    Index3 index{};
    State state = State::Ready;
    // Which of its warp's two sets of slots the next shuffle uses: no lane can be two shuffles ahead of another.
    unsigned int turn = 0;
};

struct Warp {
    float slots[2][32];
};

thread_local Index3 block_index, block_size, grid_size;
thread_local std::vector<std::unique_ptr<Fiber>> fibers;
thread_local std::vector<Warp> warps;
thread_local Fiber* current;
thread_local ucontext_t scheduler;
thread_local const std::function<void()>* kernel_call;

Index3& thread_index() { return current->index; }

inline void wait(State state) {
    Fiber* self = current;
    self->state = state;
    swapcontext(&self->context, &scheduler);
}

void wait_for_block() { wait(State::AtBarrier); }

float exchange(float value, unsigned int from_lane_xor) {
    const unsigned int lane = current->index.x % 32;
    float* slots = warps[current->index.x / 32].slots[current->turn];
    current->turn ^= 1;
    slots[lane] = value;
    wait(State::AtShuffle);
    return slots[(lane ^ from_lane_xor) % 32];
}

inline void fiber_main() {
    (*kernel_call)();
    current->state = State::Done;
}

// Runs one block; the order of its threads between barriers is forwards or backwards.
inline std::string run_block(bool backwards) {
    const unsigned int count = block_size.x;
    while (fibers.size() < count) fibers.push_back(std::make_unique<Fiber>());
    warps.resize(count / 32);
    for (unsigned int i = 0; i < count; ++i) {
        Fiber& fiber = *fibers[i];
        fiber.index = {i, 0, 0};
        fiber.state = State::Ready;
        fiber.turn = 0;
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.get();
        fiber.context.uc_stack.ss_size = Fiber::STACK;
        fiber.context.uc_link = &scheduler;
        makecontext(&fiber.context, fiber_main, 0);
    }
    auto all_are = [&](unsigned int first, unsigned int end, State state) {
        for (unsigned int i = first; i < end; ++i)
            if (fibers[i]->state != state) return false;
        return true;
    };
    auto release = [&](unsigned int first, unsigned int end) {
        for (unsigned int i = first; i < end; ++i) fibers[i]->state = State::Ready;
    };
    for (;;) {
        for (unsigned int i = 0; i < count; ++i) {
            Fiber& fiber = *fibers[backwards ? count - 1 - i : i];
            if (fiber.state != State::Ready) continue;
            current = &fiber;
            swapcontext(&scheduler, &fiber.context);
        }
        if (all_are(0, count, State::Done)) return "";
        bool released = false;
        if (all_are(0, count, State::AtBarrier)) {
            release(0, count);
            released = true;
        }
        for (unsigned int first = 0; first < count; first += 32) {
            if (all_are(first, first + 32, State::AtShuffle)) {
                release(first, first + 32);
                released = true;
            }
        }
        if (!released) return "some threads wait for others that left or wait elsewhere";
    }
}

template <typename T> constexpr char kind_of() {
    if constexpr (std::is_pointer_v<T>) {
        return 'p';
    } else if constexpr (std::is_same_v<T, unsigned int>) {
        return 'u';
    } else {
        static_assert(std::is_same_v<T, float>, "an argument of a type that is never passed");
        return 'f';
    }
}

struct Call {
    unsigned int grid_x, grid_y, block;
    const void* const* args;
    std::string kinds;
    bool backwards;
};

// Unpacks the arguments onto the kernel's own parameters.
template <typename... A, size_t... I>
std::string launch(void (*kernel)(A...), const Call& call, std::index_sequence<I...>) {
    const std::string kinds{kind_of<A>()...};
    if (call.kinds != kinds) return "takes arguments " + kinds + ", was given " + call.kinds;
    if (call.block == 0 || call.block > 1024 || call.block % 32 != 0 || call.grid_x == 0 ||
        call.grid_y == 0 || call.grid_y > 65535) {
        return "a grid or block of such a size is not for any card";
    }
    std::tuple<A...> values{*static_cast<const A*>(call.args[I])...};
    const std::function<void()> body = [&] { kernel(std::get<I>(values)...); };
    kernel_call = &body;
    block_size = {call.block, 1, 1};
    grid_size = {call.grid_x, call.grid_y, 1};
    for (unsigned int y = 0; y < call.grid_y; ++y) {
        for (unsigned int x = 0; x < call.grid_x; ++x) {
            block_index = {x, y, 0};
            const std::string error = run_block(call.backwards);
            if (!error.empty()) return error;
        }
    }
    return "";
}

template <typename... A> std::string launch(void (*kernel)(A...), const Call& call) {
    return launch(kernel, call, std::index_sequence_for<A...>{});
}

}  // namespace emulation
