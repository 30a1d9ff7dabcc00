// SPDX-License-Identifier: Apache-2.0
// Bulk and tensor copies as they are issued: operands, rules, and what the copy owns from now on. Groups and waits.
#include "runtime/sim/Bulk.h"
#include "runtime/sim/Access.h"
#include "runtime/sim/Grid.h"
#include "runtime/sim/Handlers.h"
#include "runtime/sim/Warp.h"

#include <bit>
#include <cstring>
#include <fmt/format.h>

namespace attn::sim {

using Kind = BulkOperation::Kind;

/// Quanta after which a copy may land by itself, at most, under other seeds than 0.
static constexpr uint64_t kLandingQuanta = 12;
/// A tensor map and the shared side of a tensor copy are aligned to these.
static constexpr uint32_t kMapAlignment = 64, kBoxAlignment = 128, kBulkAlignment = 16;

static void requireAligned(uint64_t address, uint32_t alignment, const char *what, unsigned lane) {
  if (address % alignment)
    throw Fault{"align",
                fmt::format("expects {} that is a multiple of {}, got {:#x}", what, alignment, address),
                {},
                int(lane)};
}

uint64_t drawLanding(Warp &w) {
  Cta &cta = w.block();
  if (!w.context().options.seed)
    return ~uint64_t(0);
  return cta.quanta + w.context().draw(Draw::Landing, cta.linear, ++cta.event) % kLandingQuanta;
}

static BulkOperation begin(Warp &w, const Op &op, Kind kind, unsigned lane) {
  BulkOperation operation;
  operation.kind = kind;
  operation.pc = w.pcOf(op);
  operation.warp = uint8_t(w.number());
  operation.lane = uint8_t(lane);
  operation.group = w.bulkGroups[lane];
  operation.due = drawLanding(w);
  operation.early = !w.clocks.afterLaunchBefore();
  return operation;
}

//===-- The receiving side
//-------------------------------------------------------------------------------------------===//

/// Adds the CTA of `destination` to those that get the data, and marks the bytes as under way.
static void addReceiver(Warp &w, const Actor &actor, BulkOperation &operation, SharedPlace destination,
                        SharedPlace mbarrier) {
  if (destination.cta != mbarrier.cta)
    throw Fault{"param", "expects the mbarrier in the CTA that receives the data", {}, int(actor.lane)};
  Mbarrier *barrier = mbarrierAt(w, actor, mbarrier);
  if (!barrier)
    return;
  Cta &cta = *destination.cta;
  if (!barrier->published && !cta.shared.barrierProxied(actor, barrier->address) && w.checks().mbarriers)
    throw Fault{"mbar-uninit",
                fmt::format("the initialisation of {} is not known to copies: expects fence.mbarrier_init or "
                            "fence.proxy.async after it, by the same thread",
                            describeMbarrier(cta, *barrier)),
                {{barrier->initPc, "it is initialised here"}},
                int(actor.lane)};
  std::vector<SharedRange> ranges = operation.tensor
                                        ? boxRanges(operation.map, uint32_t(destination.offset))
                                        : std::vector<SharedRange>{{uint32_t(destination.offset), operation.bytes}};
  for (const SharedRange &range : ranges)
    if (!cta.shared.beginAsyncWrite(actor, range))
      return;
  operation.receivers.push_back(
      {&cta, uint32_t(destination.offset), barrier->address, barrier->counts.phase, std::move(ranges)});
}

namespace {
/// The addresses of a copy into shared memory, by lane.
struct Targets {
  uint64_t destination[kLanes], mbarrier[kLanes];
};
} // namespace

static Targets targetsOf(Warp &w, const Op &op, Mask lanes) {
  Targets t;
  w.addresses(op, op.a, op.wideAddress & 1, op.imm, lanes, t.destination);
  w.addresses(op, op.c, op.wideAddress & 4, op.imm3, lanes, t.mbarrier);
  if (op.form->multicast && w.checks().poison)
    w.requireDefined(op, op.dst2, lanes, "the mask of a multicast");
  return t;
}

static void addReceivers(Warp &w, const Op &op, const Actor &actor, const Targets &t, uint32_t alignment,
                         BulkOperation &operation) {
  const unsigned lane = actor.lane;
  const Space space = op.form->space == Space::Shared ? Space::Shared : Space::SharedCluster;
  requireAligned(t.destination[lane], alignment, "a shared address", lane);
  SharedPlace destination = sharedPlace(w, space, op.a == kNoRow, t.destination[lane], lane);
  SharedPlace mbarrier = sharedPlace(w, space, op.c == kNoRow, t.mbarrier[lane], lane);
  if (!op.form->multicast) {
    addReceiver(w, actor, operation, destination, mbarrier);
    return;
  }
  uint32_t mask = w.registers.read(op.dst2)[lane] & 0xffff;
  for (unsigned rank = 0; rank < 16; ++rank)
    if (mask >> rank & 1) {
      Cta &member = clusterMember(w, rank, lane);
      addReceiver(w, actor, operation, {&member, destination.offset}, {&member, mbarrier.offset});
    }
}

//===-- The sending side
//---------------------------------------------------------------------------------------------===//

/// Reads the source now: it is locked until somebody has waited for the read, so that when makes no difference.
static void readSource(Warp &w, const Actor &actor, BulkOperation &operation, uint32_t address) {
  SharedMemory &shared = w.block().shared;
  std::vector<SharedRange> ranges =
      operation.tensor ? boxRanges(operation.map, address) : std::vector<SharedRange>{{address, operation.bytes}};
  operation.read = shared.beginAsyncRead(actor, ranges);
  operation.reading = true;
  operation.data.assign(operation.bytes, 0);
  bool valid = true;
  for (const SharedRange &range : ranges) {
    if (uint64_t(range.begin) + range.bytes > shared.size())
      return;
    valid &= shared.allValid(range);
  }
  const unsigned swizzle = operation.tensor ? operation.map.swizzle : 0;
  if (!swizzle)
    std::memcpy(operation.data.data(), shared.bytesAt(address), operation.bytes);
  for (uint32_t i = 0; i < operation.bytes && swizzle; i += 16)
    std::memcpy(operation.data.data() + i, shared.bytesAt(swizzled(address + i, swizzle)), 16);
  if (valid || !w.checks().poison)
    return;
  auto check = [&](uint32_t offset, uint64_t, uint32_t bytes) {
    for (uint32_t i = offset; i < offset + bytes; ++i) {
      uint32_t at = swizzled(address + (i & ~15u), swizzle);
      if (shared.poisonAt(at) >> (i & 15) & 1)
        throw Fault{"poison-use",
                    fmt::format("a copy to global memory reads uninitialised shared memory at {}",
                                shared.names().describe(at + (i & 15))),
                    {},
                    int(actor.lane)};
    }
  };
  if (operation.tensor)
    forEachRun(operation.map, operation.coordinates, check);
  else
    check(0, 0, operation.bytes);
}

//===-- Tensor maps
//--------------------------------------------------------------------------------------------------===//

/// Reads the 128 bytes that a generic address names, or a place among the parameters if `symbol`.
static void loadMap(Warp &w, const Actor &actor, bool symbol, uint64_t address, uint8_t *to) {
  const std::vector<uint8_t> &parameters = w.context().parameters;
  uint64_t offset = symbol && address < kParamWindowBytes ? address : address - kParamWindow;
  if (offset < kParamWindowBytes) {
    requireAligned(offset, kMapAlignment, "a tensor map at an address", actor.lane);
    if (offset + TensorMap::kBytes > parameters.size())
      throw Fault{
          "oob",
          fmt::format("reads a tensor map at byte {} of the parameters, which have {}", offset, parameters.size()),
          {},
          int(actor.lane)};
    std::memcpy(to, parameters.data() + offset, TensorMap::kBytes);
    return;
  }
  requireAligned(address, kMapAlignment, "a tensor map at an address", actor.lane);
  std::memset(to, 0, TensorMap::kBytes);
  if (address >= kGlobalStart)
    w.context().memory.loadRun(actor, address, TensorMap::kBytes, to);
}

static void readMap(Warp &w, const Actor &actor, bool symbol, uint64_t address, TensorMap &map) {
  uint8_t bytes[TensorMap::kBytes];
  loadMap(w, actor, symbol, address, bytes);
  if (!decodeTensorMap(bytes, map))
    throw Fault{"param", fmt::format("operand is not a tensor map ({:#x})", address), {}, int(actor.lane)};
}

/// Reads map and coordinates of one lane.
static void readTensor(Warp &w, const Op &op, const Actor &actor, uint64_t address, BulkOperation &operation) {
  operation.tensor = true;
  readMap(w, actor, false, address, operation.map);
  if (operation.map.rank != op.form->n)
    throw Fault{"param",
                fmt::format("expects a tensor map of {} dimensions, got {}", op.form->n, operation.map.rank),
                {},
                int(actor.lane)};
  const int32_t *rows = w.context().module.lists.data() + op.list;
  for (unsigned i = 0; i < op.form->n; ++i) {
    if (w.checks().poison)
      w.requireDefined(op, rows[i], Mask(1) << actor.lane, "a coordinate");
    operation.coordinates[i] = int32_t(w.registers.read(rows[i])[actor.lane]);
  }
  operation.bytes = operation.map.boxBytes();
}

/// Which reductions copies can do.
static void checkReduction(Kind kind, Reduce operation, Type type, unsigned lane) {
  bool sized = type == Type::U32 || type == Type::S32 || type == Type::U64 || type == Type::S64;
  bool half = type == Type::F16 || type == Type::BF16, bits = type == Type::B32 || type == Type::B64;
  bool exists = false;
  switch (operation) {
  case Reduce::Add:
    exists = sized || isFloat(type);
    break;
  case Reduce::Min:
  case Reduce::Max:
    exists = sized || half;
    break;
  case Reduce::Inc:
  case Reduce::Dec:
    exists = type == Type::U32;
    break;
  default:
    exists = sized || bits;
    break;
  }
  static constexpr const char *names[] = {"", "add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"};
  if (kind == Kind::Reduce && !exists)
    throw Fault{"param",
                fmt::format("a reduction by {} of {} does not exist", names[unsigned(operation)], name(type)),
                {},
                int(lane)};
}

//===-- Instructions
//-------------------------------------------------------------------------------------------------===//

static void push(Warp &w, BulkOperation &&operation) { w.block().bulk.pending.push_back(std::move(operation)); }

static const uint32_t *sizesOf(Warp &w, const Op &op, Mask lanes) {
  if (w.checks().poison)
    w.requireDefined(op, op.e, lanes, "the size of a copy");
  const uint32_t *sizes = w.registers.read(op.e);
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if ((lanes >> lane & 1) && sizes[lane] % kBulkAlignment)
      throw Fault{"param", fmt::format("expects a size that is a multiple of 16, got {}", sizes[lane]), {}, int(lane)};
  return sizes;
}

namespace async {

/// From shared to global memory; `operation` is None for a plain copy.
static void storeBulk(Warp &w, const Op &op, Mask lanes, Kind kind) {
  uint64_t target[kLanes], source[kLanes];
  const uint32_t *sizes = sizesOf(w, op, lanes);
  w.addresses(op, op.a, op.wideAddress & 1, op.imm, lanes, target);
  w.addresses(op, op.b, op.wideAddress & 2, op.imm2, lanes, source);
  Actor actor = w.actor(op);
  for (unsigned lane : lanesOf(lanes)) {
    actor.lane = lane;
    requireAligned(target[lane], kBulkAlignment, "a global address", lane);
    requireAligned(source[lane], kBulkAlignment, "a shared address", lane);
    BulkOperation operation = begin(w, op, kind, lane);
    operation.bytes = sizes[lane];
    operation.target = target[lane];
    operation.operation = op.form->reduce;
    operation.type = op.form->type();
    checkReduction(kind, operation.operation, operation.type, lane);
    readSource(w, actor, operation, uint32_t(sharedPlace(w, Space::Shared, true, source[lane], lane).offset));
    push(w, std::move(operation));
  }
}

/// Global or own shared memory to shared memory of the cluster.
static void loadBulk(Warp &w, const Op &op, Mask lanes, Kind kind) {
  uint64_t source[kLanes];
  const uint32_t *sizes = sizesOf(w, op, lanes);
  Targets targets = targetsOf(w, op, lanes);
  w.addresses(op, op.b, op.wideAddress & 2, op.imm2, lanes, source);
  Actor actor = w.actor(op);
  for (unsigned lane : lanesOf(lanes)) {
    actor.lane = lane;
    requireAligned(source[lane], kBulkAlignment, kind == Kind::Load ? "a global address" : "a shared address", lane);
    BulkOperation operation = begin(w, op, kind, lane);
    operation.bytes = sizes[lane];
    operation.source = source[lane];
    if (kind == Kind::Load && sizes[lane])
      w.context().memory.checkReadable(actor, source[lane], sizes[lane]);
    addReceivers(w, op, actor, targets, kBulkAlignment, operation);
    if (kind == Kind::SharedCopy)
      readSource(w, actor, operation, uint32_t(sharedPlace(w, Space::Shared, true, source[lane], lane).offset));
    push(w, std::move(operation));
  }
}

void bulkCopy(Warp &w, const Op &op, Mask lanes) {
  if (op.form->bulkGroup)
    storeBulk(w, op, lanes, Kind::Store);
  else
    loadBulk(w, op, lanes, op.form->source == Space::Global ? Kind::Load : Kind::SharedCopy);
}

void bulkReduce(Warp &w, const Op &op, Mask lanes) { storeBulk(w, op, lanes, Kind::Reduce); }

void bulkPrefetch(Warp &w, const Op &op, Mask lanes) {
  uint64_t source[kLanes];
  const uint32_t *sizes = sizesOf(w, op, lanes);
  w.addresses(op, op.a, op.wideAddress & 1, op.imm, lanes, source);
  Actor actor = w.actor(op);
  for (unsigned lane : lanesOf(lanes)) {
    actor.lane = lane;
    requireAligned(source[lane], kBulkAlignment, "a global address", lane);
    if (sizes[lane])
      w.context().memory.checkReadable(actor, source[lane], sizes[lane]);
  }
}

void tensorLoad(Warp &w, const Op &op, Mask lanes) {
  uint64_t map[kLanes];
  Targets targets = targetsOf(w, op, lanes);
  w.addresses(op, op.b, op.wideAddress & 2, op.imm2, lanes, map);
  Actor actor = w.actor(op);
  for (unsigned lane : lanesOf(lanes)) {
    actor.lane = lane;
    BulkOperation operation = begin(w, op, Kind::Load, lane);
    readTensor(w, op, actor, map[lane], operation);
    addReceivers(w, op, actor, targets, kBoxAlignment, operation);
    push(w, std::move(operation));
  }
}

static void storeTensor(Warp &w, const Op &op, Mask lanes, Kind kind) {
  uint64_t map[kLanes], source[kLanes];
  w.addresses(op, op.a, op.wideAddress & 1, op.imm, lanes, map);
  w.addresses(op, op.b, op.wideAddress & 2, op.imm2, lanes, source);
  Actor actor = w.actor(op);
  for (unsigned lane : lanesOf(lanes)) {
    actor.lane = lane;
    requireAligned(source[lane], kBoxAlignment, "a shared address", lane);
    BulkOperation operation = begin(w, op, kind, lane);
    readTensor(w, op, actor, map[lane], operation);
    operation.operation = op.form->reduce;
    operation.type = typeOf(operation.map.element);
    checkReduction(kind, operation.operation, operation.type, lane);
    readSource(w, actor, operation, uint32_t(sharedPlace(w, Space::Shared, true, source[lane], lane).offset));
    push(w, std::move(operation));
  }
}

void tensorStore(Warp &w, const Op &op, Mask lanes) { storeTensor(w, op, lanes, Kind::Store); }
void tensorReduce(Warp &w, const Op &op, Mask lanes) { storeTensor(w, op, lanes, Kind::Reduce); }

void tensorPrefetch(Warp &w, const Op &op, Mask lanes) {
  uint64_t map[kLanes];
  w.addresses(op, op.a, op.wideAddress & 1, op.imm, lanes, map);
  Actor actor = w.actor(op);
  for (unsigned lane : lanesOf(lanes)) {
    actor.lane = lane;
    BulkOperation operation = begin(w, op, Kind::Load, lane);
    readTensor(w, op, actor, map[lane], operation);
  }
}

void prefetchMap(Warp &w, const Op &op, Mask lanes) {
  uint64_t address[kLanes];
  w.addresses(op, op.a, op.wideAddress & 1, op.imm, lanes, address);
  Actor actor = w.actor(op);
  TensorMap map;
  for (unsigned lane : lanesOf(lanes)) {
    actor.lane = lane;
    readMap(w, actor, op.a == kNoRow || op.form->space == Space::Param, address[lane], map);
  }
}

void bulkCommit(Warp &w, const Op &, Mask lanes) {
  for (unsigned lane = 0; lane < kLanes; ++lane)
    w.bulkGroups[lane] += lanes >> lane & 1;
}

void bulkWait(Warp &w, const Op &op, Mask lanes) {
  Cta &cta = w.block();
  const uint32_t open = w.registers.read(op.a)[0];
  auto covered = [&](const BulkOperation &o) {
    uint32_t closed = w.bulkGroups[o.lane];
    bool stores = o.kind == Kind::Store || o.kind == Kind::Reduce;
    return stores && o.warp == w.number() && (lanes >> o.lane & 1) && closed > open && o.group < closed - open;
  };
  for (BulkOperation &operation : cta.bulk.pending)
    if (covered(operation))
      endRead(cta, operation);
  if (op.form->read)
    return;
  for (BulkOperation &operation : cta.bulk.pending)
    if (covered(operation))
      perform(cta, operation);
  std::erase_if(cta.bulk.pending, covered);
}

} // namespace async

} // namespace attn::sim
