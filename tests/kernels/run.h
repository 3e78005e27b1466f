// Runs kernels as cuLaunchKernel would, on the processor: blocks one after the other, the threads of a block as fibers
// that run until a barrier or a shuffle. What a card would do with wrong arguments or with barriers that some threads
// never reach is undefined; here it is an error with a message.
#pragma once

#include "cuda_bf16.h"

#include <setjmp.h>
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

enum class State { Waiting, Ready, AtBarrier, AtShuffle, Done };

// A stack of its own. It runs one thread after the other until one of them has to wait, and goes on with that one later.
struct Fiber {
    static constexpr size_t STACK = 64 * 1024;
    ucontext_t context;
    jmp_buf place;
    std::unique_ptr<char[]> stack{new char[STACK]};
};

struct Thread {
    Index3 index{};
    State state = State::Waiting;
    // Which of its warp's two sets of slots the next shuffle uses: no lane can be two shuffles ahead of another.
    unsigned int turn = 0;
    Fiber* fiber = nullptr;
};

struct Warp {
    float slots[2][32];
};

thread_local Index3 block_index, block_size, grid_size;
thread_local std::vector<Thread> threads;
thread_local std::vector<Warp> warps;
thread_local std::vector<std::unique_ptr<Fiber>> fibers;
thread_local std::vector<Fiber*> idle;
thread_local Thread* current;
thread_local unsigned int started;
thread_local bool from_the_end;
thread_local jmp_buf scheduler;
thread_local const std::function<void()>* kernel_call;

Index3& thread_index() { return current->index; }

// Contexts are switched by jumps, which need no call of the system; `makecontext` only gives a fiber its stack.
inline void wait(State state) {
    Thread* self = current;
    self->state = state;
    if (_setjmp(self->fiber->place) == 0) _longjmp(scheduler, 1);
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

inline Thread& in_order(unsigned int i) {
    return threads[from_the_end ? block_size.x - 1 - i : i];
}

// Takes up threads that have not begun yet.
inline void fiber_main() {
    Fiber* self = current->fiber;
    for (;;) {
        (*kernel_call)();
        current->state = State::Done;
        // The kernel may have waited and others begun meanwhile.
        if (started == block_size.x) break;
        current = &in_order(started++);
        current->fiber = self;
    }
    idle.push_back(self);
    _longjmp(scheduler, 1);
}

[[gnu::noinline]] inline void begin(Thread& thread) {
    if (idle.empty()) {
        fibers.push_back(std::make_unique<Fiber>());
        idle.push_back(fibers.back().get());
    }
    Fiber& fiber = *idle.back();
    idle.pop_back();
    thread.fiber = &fiber;
    current = &thread;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = Fiber::STACK;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, fiber_main, 0);
    if (_setjmp(scheduler) == 0) setcontext(&fiber.context);
}

[[gnu::noinline]] inline void go_on(Thread& thread) {
    current = &thread;
    if (_setjmp(scheduler) == 0) _longjmp(thread.fiber->place, 1);
}

// Runs one block; the order of its threads between barriers is forwards or backwards.
inline std::string run_block(bool backwards) {
    const unsigned int count = block_size.x;
    from_the_end = backwards;
    started = 0;
    threads.assign(count, Thread{});
    warps.resize(count / 32);
    for (unsigned int i = 0; i < count; ++i) threads[i].index = {i, 0, 0};
    auto all_are = [&](unsigned int first, unsigned int end, State state) {
        for (unsigned int i = first; i < end; ++i)
            if (threads[i].state != state) return false;
        return true;
    };
    auto release = [&](unsigned int first, unsigned int end) {
        for (unsigned int i = first; i < end; ++i) threads[i].state = State::Ready;
    };
    for (;;) {
        while (started < count) begin(in_order(started++));
        for (unsigned int i = 0; i < count; ++i) {
            if (in_order(i).state == State::Ready) go_on(in_order(i));
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
