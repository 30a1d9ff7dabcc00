// SPDX-License-Identifier: Apache-2.0
// Asynchronous matrix products of warpgroups: wgmma.mma_async, its fence, its groups, and who may touch what meanwhile.
#include "runtime/sim/Wgmma.h"
#include "runtime/sim/Grid.h"
#include "runtime/sim/Handlers.h"
#include "runtime/sim/Matrix.h"
#include "runtime/sim/ProductMath.h"
#include "runtime/sim/Warp.h"

#include <algorithm>
#include <bitset>
#include <cstring>
#include <fmt/format.h>

namespace attn::sim {

static constexpr unsigned kGroupWarps = 4;
static constexpr unsigned kGroupRows = 64, kWarpRows = 16, kMaxColumns = 256;

namespace {
/// The operands of one wgmma as a warp sees them.
struct Product {
  const Op &op;
  const int32_t *d, *a; ///< rows of registers; a is null if it is in shared memory
  unsigned countD, countA;
  uint64_t descriptorA = 0, descriptorB = 0;
  bool accumulate = true;
  bool negateA() const { return op.imm & 1; }
  bool negateB() const { return op.imm & 2; }
  bool alongA() const { return op.imm & 4; }
  bool alongB() const { return op.imm & 8; }
  unsigned columns() const { return op.form->n; }
  Type typeA() const { return op.form->types[1]; }
  Type typeB() const { return op.form->types[2]; }
  unsigned depth() const { return kProductBytes * 8 / bitWidth(typeB()); }
};

using Lines = std::bitset<kMaxColumns>;
} // namespace

void ProductQueue::reset() {
  pending.clear();
  groups = 0;
  issued = 0;
  fenced = false;
  std::fill(writers.begin(), writers.end(), kNoPc);
  group.issued.clear();
  group.first = 0;
  for (DecodedOperand &operand : group.operands)
    operand.index = ~uint64_t(0);
}

static const int32_t *listOf(const Warp &w, const Op &op) { return w.context().module.lists.data() + op.list; }

static bool contains(const int32_t *rows, unsigned count, Row row) {
  return std::find(rows, rows + count, row) != rows + count;
}

static std::string registerName(const Warp &w, const Op &op, Row row) {
  return w.context().module.registerName(w.pcOf(op), row, false);
}

//===-- Registers of products that run
//-------------------------------------------------------------------------------===//

void markProductRegisters(Module &module) {
  if (!module.usesWgmma)
    return;
  std::vector<uint8_t> used(module.rowCount);
  for (const Op &op : module.ops)
    if (op.handler == matrix::wgmma)
      for (unsigned i = 0; i < unsigned(op.listSize[0]) + op.listSize[1]; ++i)
        if (Row row = module.lists[op.list + i]; row >= kFirstRow)
          used[size_t(row)] = 1;
  for (size_t i = 0; i < module.ops.size(); ++i) {
    Op &op = module.ops[i];
    if (op.flags & FlagWgmma)
      continue;
    const OperandUses &uses = module.opUses[i];
    for (unsigned j = 0; j < unsigned(uses.writes) + uses.reads; ++j) {
      const OperandUse &use = module.uses[uses.first + j];
      if (!use.predicate && use.row >= 0 && used[size_t(use.row)])
        op.flags |= FlagProduct;
    }
  }
}

/// An access of a register that a running product uses.
[[noreturn]] static void failInFlight(const Warp &w, const Op &op, Row row, bool writes) {
  uint32_t other = kNoPc;
  bool result = false;
  for (const PendingProduct &product : w.products.pending) {
    const int32_t *rows = listOf(w, *product.op);
    const bool inD = contains(rows, product.op->listSize[0], row);
    if (inD || (writes && contains(rows + product.op->listSize[0], product.op->listSize[1], row))) {
      other = w.pcOf(*product.op);
      result = inD;
    }
  }
  throw Fault{"inflight-reg",
              fmt::format("{} {}, which a wgmma still {}: expects a wgmma.wait_group that covers it first",
                          writes ? "writes" : "reads", registerName(w, op, row), result ? "writes" : "reads"),
              {{other, "the wgmma is issued here"}}};
}

/// Marks an instruction that has read a register since the last fence, which none has written since. A product may read
/// the register as well, but overwrite it only behind a fence.
static constexpr uint32_t kOnlyRead = 1u << 31;

static bool onlyRead(const Warp &w, Row row) { return w.products.writers[size_t(row)] & kOnlyRead; }

void checkProductRegisters(Warp &w, const Op &op) {
  const Module &module = w.context().module;
  const OperandUses &uses = module.opUses[w.pcOf(op)];
  const OperandUse *use = module.uses.data() + uses.first;
  const bool checked = w.checks().matrixRegisters;
  for (unsigned i = 0; i < unsigned(uses.writes) + uses.reads; ++i) {
    if (use[i].predicate || use[i].row < kFirstRow)
      continue;
    const bool writes = i < uses.writes;
    const uint8_t flags = w.registers.flags(use[i].row);
    const uint8_t forbidden = writes ? Registers::InFlight | Registers::ReadLocked : Registers::InFlight;
    if ((flags & forbidden) && checked) [[unlikely]]
      failInFlight(w, op, use[i].row, writes);
    if (!writes && (flags & Registers::Dirty))
      continue;
    w.registers.setFlag(use[i].row, Registers::Dirty);
    if (w.products.writers.empty())
      w.products.writers.assign(module.rowCount, kNoPc);
    w.products.writers[size_t(use[i].row)] = w.pcOf(op) | (writes ? 0 : kOnlyRead);
  }
}

[[noreturn]] static void failFence(const Warp &w, const Op &op, Row row) {
  const bool read = onlyRead(w, row);
  throw Fault{"wgmma-fence",
              fmt::format("{} was {} after the last wgmma.fence: expects one before the wgmma that {} it",
                          registerName(w, op, row), read ? "read" : "written", read ? "overwrites" : "uses"),
              {{w.products.writers[size_t(row)] & ~kOnlyRead, read ? "it is read here" : "it is written here"}}};
}

static bool sameShape(const Op &a, const Op &b) {
  const Form &x = *a.form, &y = *b.form;
  return x.n == y.n && x.types[0] == y.types[0] && bitWidth(x.types[2]) == bitWidth(y.types[2]);
}

/// Registers of d may be those of a running product of the same shape: products run in order.
static void checkAccumulators(const Warp &w, const Product &p) {
  const auto &pending = w.products.pending;
  const Op *last = pending.empty() ? nullptr : pending.back().op;
  const bool chained = last && sameShape(*last, p.op) && std::equal(p.d, p.d + p.countD, listOf(w, *last));
  for (unsigned i = 0; i < p.countD; ++i) {
    const uint8_t flags = w.registers.flags(p.d[i]);
    if ((flags & Registers::Dirty) && w.checks().matrixFence)
      failFence(w, p.op, p.d[i]);
    if ((flags & Registers::ReadLocked) && w.checks().matrixRegisters)
      failInFlight(w, p.op, p.d[i], true);
    if (!(flags & Registers::InFlight) || chained || !w.checks().matrixRegisters)
      continue;
    for (const PendingProduct &product : pending)
      if (contains(listOf(w, *product.op), product.op->listSize[0], p.d[i]) && !sameShape(*product.op, p.op))
        failInFlight(w, p.op, p.d[i], true);
  }
}

static void checkRegisters(const Warp &w, const Product &p) {
  if (!w.products.fenced && w.checks().matrixFence)
    throw Fault{"wgmma-fence", "expects a wgmma.fence before the first wgmma of the warp"};
  checkAccumulators(w, p);
  for (unsigned i = 0; i < p.countA; ++i) {
    const uint8_t flags = w.registers.flags(p.a[i]);
    if ((flags & Registers::InFlight) && w.checks().matrixRegisters)
      failInFlight(w, p.op, p.a[i], false);
    if ((flags & Registers::Dirty) && !onlyRead(w, p.a[i]) && w.checks().matrixFence)
      failFence(w, p.op, p.a[i]);
  }
}

static void lockRegisters(Warp &w, const Op &op) {
  const int32_t *rows = listOf(w, op);
  for (unsigned i = 0; i < op.listSize[0]; ++i)
    w.registers.setFlag(rows[i], Registers::InFlight);
  for (unsigned i = 0; i < op.listSize[1]; ++i)
    if (rows[op.listSize[0] + i] >= 0)
      w.registers.setFlag(rows[op.listSize[0] + i], Registers::ReadLocked);
}

static void unlockRegisters(Warp &w, const Op &op) {
  const int32_t *rows = listOf(w, op);
  for (unsigned i = 0; i < op.listSize[0]; ++i)
    w.registers.clearFlag(rows[i], Registers::InFlight);
  for (unsigned i = 0; i < op.listSize[1]; ++i)
    if (rows[op.listSize[0] + i] >= 0)
      w.registers.clearFlag(rows[op.listSize[0] + i], Registers::ReadLocked);
}

//===-- The warpgroup
//------------------------------------------------------------------------------------------------===//

static unsigned firstOfGroup(const Warp &w) { return w.number() / kGroupWarps * kGroupWarps; }

/// Notes that the warp issues its next product, which must be the one that the others issue. Returns its index.
static uint64_t joinGroup(Warp &w, const Product &p) {
  Cta &cta = w.block();
  const unsigned first = firstOfGroup(w);
  const bool checked = w.checks().matrixGroup;
  if (first + kGroupWarps > cta.warpCount && checked)
    throw Fault{"wgmma-member", fmt::format("expects a warpgroup of 4 warps, got a CTA of {}", cta.warpCount)};
  const unsigned count = std::min(kGroupWarps, cta.warpCount - first);
  Warpgroup &group = cta.warps[first].products.group;
  const uint64_t index = w.products.issued++;
  IssuedProduct mine{&p.op, p.descriptorA, p.descriptorB, p.accumulate, w.number()};
  if (index == group.first + group.issued.size()) {
    for (unsigned i = first; i < first + count; ++i)
      if (const Warp &other = cta.warps[i]; other.done() && other.products.issued <= index && checked)
        throw Fault{"wgmma-member", fmt::format("warp {} of the warpgroup has ended without this wgmma", i)};
    group.issued.push_back(mine);
  } else if (const IssuedProduct &other = group.issued[index - group.first]; !mine.same(other) && checked) {
    throw Fault{
        "wgmma-member",
        fmt::format("warps of the warpgroup disagree: the wgmma number {} of warp {} is another one, or has other "
                    "descriptors, than that of warp {}",
                    index, w.number(), other.warp),
        {{w.pcOf(*other.op), fmt::format("warp {} issues it here", other.warp)}}};
  }
  uint64_t least = ~uint64_t(0);
  for (unsigned i = first; i < first + count; ++i)
    least = std::min(least, cta.warps[i].products.issued);
  for (; group.first < least && !group.issued.empty(); ++group.first)
    group.issued.pop_front();
  return index;
}

void productsAfterExit(Warp &w) {
  Cta &cta = w.block();
  const unsigned first = firstOfGroup(w);
  const Warpgroup &group = cta.warps[first].products.group;
  const uint64_t mine = w.products.issued;
  if (mine < group.first + group.issued.size() && w.checks().matrixGroup)
    throw Fault{"wgmma-member",
                fmt::format("warp {} ends without a wgmma that warp {} of its warpgroup has issued", w.number(),
                            group.issued[mine - group.first].warp),
                {{w.pcOf(*group.issued[mine - group.first].op), "it is issued here"}}};
}

//===-- Operands
//-----------------------------------------------------------------------------------------------------===//

static uint64_t descriptorOf(Warp &w, const Op &op, Row row, Mask lanes) {
  const uint64_t bits = w.uniformValue(op, row, true, lanes, "a matrix descriptor");
  uint64_t reserved;
  MatrixDescriptor::decode(bits, reserved);
  if (reserved)
    throw Fault{"param",
                fmt::format("expects zeros in the bits {:#x} of a matrix descriptor, got {:#x}", reserved, bits)};
  return bits;
}

static Product productOf(Warp &w, const Op &op, Mask lanes) {
  Product p{op, listOf(w, op), nullptr, op.listSize[0], op.listSize[1]};
  if (p.countA)
    p.a = p.d + p.countD;
  else
    p.descriptorA = descriptorOf(w, op, op.a, lanes);
  p.descriptorB = descriptorOf(w, op, op.b, lanes);
  if (w.checks().poison)
    w.requireDefinedPredicate(op, op.c, lanes, "whether a wgmma adds to its accumulators");
  const Mask scale = (op.negated & 4 ? ~w.registers.predicate(op.c) : w.registers.predicate(op.c)) & lanes;
  if (scale && scale != lanes && w.checks().aligned)
    throw Fault{"aligned", fmt::format("expects a scale-d that is equal in all lanes, got true in {} and false in {}",
                                       Warp::laneRange(scale), Warp::laneRange(lanes & ~scale))};
  p.accumulate = scale != 0;
  return p;
}

/// Lines of an operand in shared memory that hold something undefined.
static Lines poisonedLines(Warp &w, const Op &op, const Footprint &footprint, unsigned elementBytes) {
  Lines lines;
  const SharedMemory &shared = w.block().shared;
  for (const Footprint::Chunk &chunk : footprint.chunks) {
    const ByteMask poison = shared.poisonAt(chunk.address);
    if (!poison)
      continue;
    w.notePoison(op, 0, chunk.address);
    if (!footprint.along)
      lines.set(chunk.line);
    for (unsigned i = 0; footprint.along && i < 16 / elementBytes; ++i)
      if (poison >> i * elementBytes & ((1u << elementBytes) - 1))
        lines.set(chunk.line + i);
  }
  return lines;
}

static bool allValid(const SharedMemory &shared, const Footprint &footprint) {
  bool valid = true;
  for (const SharedRange &range : footprint.ranges)
    valid &= shared.allValid(range);
  return valid;
}

/// Whether the bytes of the footprint are those that were decoded; remembers them if not.
static bool sameBytes(const SharedMemory &shared, const Footprint &footprint, DecodedOperand &known) {
  known.bytes.resize(footprint.bytes);
  uint8_t *mine = known.bytes.data();
  bool same = true;
  for (const SharedRange &range : footprint.ranges) {
    same = same && !std::memcmp(mine, shared.bytesAt(range.begin), range.bytes);
    mine += range.bytes;
  }
  if (same)
    return true;
  mine = known.bytes.data();
  for (const SharedRange &range : footprint.ranges) {
    std::memcpy(mine, shared.bytesAt(range.begin), range.bytes);
    mine += range.bytes;
  }
  return false;
}

/// The panel of b, decoded by the first warp of the group that comes here.
static const double *panelOfB(Warp &w, const Product &p, const Footprint &footprint, uint64_t index) {
  const SharedMemory &shared = w.block().shared;
  Warpgroup &group = w.block().warps[firstOfGroup(w)].products.group;
  DecodedOperand &known = group.operands[index % group.operands.size()];
  known.panel.resize(size_t(p.columns()) * p.depth());
  // Only with the check of bounds off can an operand be outside: it reads as zeros then.
  if (footprint.end > shared.size()) {
    known.index = ~uint64_t(0);
    std::fill(known.panel.begin(), known.panel.end(), 0.0);
    return known.panel.data();
  }
  const bool same = sameBytes(shared, footprint, known) && known.index == index;
  if (!same)
    decodeFootprint(shared.bytesAt(0), footprint, p.typeB(), known.panel.data());
  known.index = index;
  return known.panel.data();
}

/// The 16 rows of a that belong to the warp.
static void panelOfA(Warp &w, const Product &p, const Footprint *footprint, double *panel) {
  const SharedMemory &shared = w.block().shared;
  if (!footprint) {
    const unsigned width = 4 * perWord(p.typeA());
    for (unsigned r = 0; r < p.countA; ++r)
      decodeBlock(w.registers.read(p.a[r]), p.typeA(), panel + (r & 1) * 8 * kMaxDepth + (r >> 1) * width, kMaxDepth,
                  false);
  } else if (footprint->end > shared.size()) {
    std::fill(panel, panel + kWarpRows * kMaxDepth, 0.0);
  } else {
    decodeFootprint(shared.bytesAt(0), *footprint, p.typeA(), panel);
  }
  if (p.negateA() == p.negateB())
    return;
  for (unsigned row = 0; row < kWarpRows; ++row)
    for (unsigned k = 0; k < p.depth(); ++k)
      panel[row * kMaxDepth + k] = -panel[row * kMaxDepth + k];
}

//===-- The product
//--------------------------------------------------------------------------------------------------===//

/// Sums that are not f32, or are to be truncated: tile by tile, as mma does it.
static void multiplyByTiles(Warp &w, const Product &p, const double *a, const double *b) {
  const Type type = p.op.form->types[0];
  const unsigned perTile = type == Type::F16 ? 2 : 4;
  MatrixPanels panels;
  panels.depth = p.depth();
  std::memcpy(panels.a, a, sizeof panels.a);
  for (unsigned tile = 0; tile < p.columns() / 8; ++tile) {
    const double *columns = b + size_t(tile) * p.depth() * 8;
    for (unsigned k = 0; k < p.depth(); ++k)
      for (unsigned n = 0; n < 8; ++n)
        panels.b[k * 8 + n] = columns[k * 8 + (n & 1) * 4 + n / 2];
    if (p.accumulate)
      readSums(w, p.d + tile * perTile, type, panels.sum);
    else
      std::fill(std::begin(panels.sum), std::end(panels.sum), 0.0);
    if (w.context().options.matrixTruncate)
      multiplyTruncated(panels, kTruncatedBits);
    else
      multiplyPanels(panels);
    writeSums(w, p.d + tile * perTile, type, panels.sum);
  }
}

static void multiply(Warp &w, const Product &p, const double *a, const double *b) {
  if (p.op.form->types[0] != Type::F32 || w.context().options.matrixTruncate)
    return multiplyByTiles(w, p, a, b);
  std::vector<uint32_t *> &sums = w.products.sums;
  sums.resize(p.countD);
  for (unsigned i = 0; i < p.countD; ++i)
    sums[i] = w.registers.write(p.d[i]);
  multiplyTiles(bestVectorUnit(), a, b, p.depth(), p.columns() / 8, sums.data(), p.accumulate);
}

/// A row of a that is poisoned poisons its row of d, a column of b its column, an element of d itself.
static void writePoison(Warp &w, const Product &p, uint32_t rows, const Lines &columns) {
  const bool anyColumn = columns.any();
  // Two columns share a register of f16.
  const bool packed = p.op.form->types[0] == Type::F16;
  for (unsigned i = 0; i < p.countD; ++i) {
    Mask poison = p.accumulate ? w.registers.poison(p.d[i]) : 0;
    const unsigned tile = packed ? i / 2 : i / 4, half = packed ? i & 1 : i >> 1 & 1;
    for (unsigned lane = 0; lane < kLanes && (rows || anyColumn); ++lane) {
      const unsigned column = 8 * tile + 2 * (lane % 4);
      bool bad = rows >> (8 * half + lane / 4) & 1;
      bad |= packed ? columns[column] || columns[column + 1] : columns[column + (i & 1)];
      poison |= Mask(bad) << lane;
    }
    w.registers.setPoison(p.d[i], kAllLanes, poison);
  }
}

namespace matrix {

void wgmma(Warp &w, const Op &op, Mask lanes) {
  requireWholeWarp(w, lanes);
  const Product p = productOf(w, op, lanes);
  checkRegisters(w, p);
  const uint64_t index = joinGroup(w, p);
  const uint8_t bytesA = uint8_t(bitWidth(p.typeA()) / 8), bytesB = uint8_t(bitWidth(p.typeB()) / 8);
  const uint32_t firstRow = w.number() % kGroupWarps * kWarpRows;
  ProductQueue &queue = w.products;
  const Footprint *a =
      p.a ? nullptr : &queue.footprintsA.at({p.descriptorA, firstRow, kWarpRows, bytesA, p.alongA(), false});
  const Footprint &b = w.block().warps[firstOfGroup(w)].products.footprintsB.at(
      {p.descriptorB, 0, p.columns(), bytesB, p.alongB(), true});
  queue.ranges.assign(b.ranges.begin(), b.ranges.end());
  if (a)
    queue.ranges.insert(queue.ranges.end(), a->ranges.begin(), a->ranges.end());
  SharedMemory &shared = w.block().shared;
  const AsyncRead read = shared.beginAsyncRead(w.actor(op), queue.ranges);
  uint32_t rows = p.a ? poisonedRows(w, p.a, p.countA) : 0;
  if (a && a->end <= shared.size() && !allValid(shared, *a)) [[unlikely]]
    rows = uint32_t(poisonedLines(w, op, *a, bytesA).to_ulong());
  Lines columns;
  if (b.end <= shared.size() && !allValid(shared, b)) [[unlikely]]
    columns = poisonedLines(w, op, b, bytesB);
  writePoison(w, p, rows, columns);
  alignas(64) double panel[kWarpRows * kMaxDepth];
  panelOfA(w, p, a, panel);
  multiply(w, p, panel, panelOfB(w, p, b, index));
  lockRegisters(w, op);
  queue.pending.push_back({&op, queue.groups, read});
}

void wgmmaFence(Warp &w, const Op &, Mask lanes) {
  requireWholeWarp(w, lanes);
  w.registers.clearFlagEverywhere(Registers::Dirty);
  w.products.fenced = true;
}

void wgmmaCommit(Warp &w, const Op &, Mask lanes) {
  requireWholeWarp(w, lanes);
  ++w.products.groups;
}

void wgmmaWait(Warp &w, const Op &op, Mask lanes) {
  requireWholeWarp(w, lanes);
  ProductQueue &queue = w.products;
  const uint32_t open = w.registers.read(op.a)[0];
  // Groups close in the order of issue, so what is done comes first.
  size_t done = 0;
  while (done < queue.pending.size() && queue.pending[done].group + uint64_t(open) < queue.groups)
    ++done;
  if (!done)
    return;
  for (size_t i = 0; i < done; ++i) {
    w.block().shared.endAsyncRead(queue.pending[i].read, w.clocks);
    unlockRegisters(w, *queue.pending[i].op);
  }
  queue.pending.erase(queue.pending.begin(), queue.pending.begin() + ptrdiff_t(done));
  for (const PendingProduct &product : queue.pending)
    lockRegisters(w, *product.op);
  w.progressed();
}

} // namespace matrix

} // namespace attn::sim
