// SPDX-License-Identifier: Apache-2.0
// What warps and warpgroups remember of their asynchronous matrix products.
#pragma once

#include "runtime/sim/Descriptor.h"
#include "runtime/sim/Table.h"

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

namespace attn::sim {

class Warp;
struct Module;

/// A wgmma that has been issued and not waited for.
struct PendingProduct {
  const Op *op;
  uint32_t group; ///< of the warp
  AsyncRead read; ///< of its operands in shared memory
};

/// What the four warps of a group must agree on.
struct IssuedProduct {
  const Op *op;
  uint64_t a, b; ///< descriptors
  bool accumulate;
  unsigned warp; ///< that issued it first
  bool same(const IssuedProduct &other) const {
    return op == other.op && a == other.a && b == other.b && accumulate == other.accumulate;
  }
};

/// Operand b of a recent wgmma, so that it is decoded once and not by each warp. Used only if shared memory still holds
/// the same bytes.
struct DecodedOperand {
  uint64_t index = ~uint64_t(0); ///< of the product in the order of the group
  std::vector<uint8_t> bytes;    ///< of the ranges, in order
  std::vector<double> panel;
};

/// Four warps.
struct Warpgroup {
  std::deque<IssuedProduct> issued; ///< those that not all warps have issued yet
  uint64_t first = 0;               ///< the index of the front one
  std::array<DecodedOperand, 16> operands;
};

/// The products of one warp.
struct ProductQueue {
  std::vector<PendingProduct> pending; ///< in the order of issue
  uint32_t groups = 0;                 ///< closed so far
  uint64_t issued = 0;
  bool fenced = false;           ///< wgmma.fence has been executed
  std::vector<uint32_t> writers; ///< by row: the instruction that wrote it last, of registers that products use
  Warpgroup group;               ///< of the first warp of each four
  FootprintCache footprintsA, footprintsB;
  std::vector<SharedRange> ranges;
  std::vector<uint32_t *> sums;
  void reset();
};

/// Sets FlagProduct on the instructions that touch accumulators or registers with fragments of a.
void markProductRegisters(Module &module);
/// An instruction with FlagProduct: its registers must not be in use by products that run.
void checkProductRegisters(Warp &w, const Op &op);
/// A warp has ended: the others of its group must not have issued more than it did.
void productsAfterExit(Warp &w);

} // namespace attn::sim
