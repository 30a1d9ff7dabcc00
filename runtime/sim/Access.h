// SPDX-License-Identifier: Apache-2.0
// How handlers reach memory of any space.
#pragma once

#include "runtime/sim/Memory.h"
#include "runtime/sim/Table.h"

#include <cstdint>

namespace attn::sim {

class Warp;

/// The semantics and scope that an instruction has, with defaults filled in.
Strength strengthOf(const Form &form);

struct Resolved {
  Space space;
  uint64_t address; ///< in the space
};
Resolved resolveGeneric(uint64_t address);

/// One lane's access of 1, 2, 4, 8 or 16 bytes at an address of `space`; actor.lane says whose.
ByteMask loadBytes(Warp &w, const Actor &actor, Space space, uint64_t address, uint32_t bytes, void *to,
                   Strength strength, bool nonCoherent);
void storeBytes(Warp &w, const Actor &actor, Space space, uint64_t address, uint32_t bytes, const void *from,
                ByteMask poison, Strength strength);

/// What a reduction of `value` leaves in global memory that held `old`.
uint64_t combined(Reduce operation, Type type, uint64_t old, uint64_t value);

/// Orders the strong accesses of `lanes` with those of others.
void orderStrong(Warp &w, const Op &op, Mask lanes, const uint64_t *address, bool reads, bool writes,
                 Strength strength);

} // namespace attn::sim
