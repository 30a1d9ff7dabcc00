// SPDX-License-Identifier: Apache-2.0
// atom and red: read-modify-write of global and shared memory, and the order that strong accesses create.
#include "runtime/sim/Access.h"
#include "runtime/sim/Bits.h"
#include "runtime/sim/Bulk.h"
#include "runtime/sim/Grid.h"
#include "runtime/sim/Handlers.h"
#include "runtime/sim/Warp.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace attn::sim {

static uint32_t addHalf(uint32_t a, uint32_t b) { return doubleToF16(double(f16ToFloat(a)) + double(f16ToFloat(b))); }
static uint32_t addBrain(uint32_t a, uint32_t b) {
  return doubleToBf16(double(bf16ToFloat(a)) + double(bf16ToFloat(b)));
}

template <class Add> static uint32_t addPair(uint32_t a, uint32_t b, Add add) {
  return (add(a & 0xffff, b & 0xffff) & 0xffff) | add(a >> 16, b >> 16) << 16;
}

/// Global memory flushes subnormals of f32, shared memory does not.
static uint64_t addFloat(Type type, bool flushes, uint64_t a, uint64_t b) {
  switch (type) {
  case Type::F32:
    if (flushes)
      return flush(canonical(asFloat(flush(uint32_t(a))) + asFloat(flush(uint32_t(b)))));
    return canonical(asFloat(uint32_t(a)) + asFloat(uint32_t(b)));
  case Type::F64:
    return canonical(asDouble(a) + asDouble(b));
  case Type::F16:
    return addHalf(uint32_t(a), uint32_t(b));
  case Type::BF16:
    return addBrain(uint32_t(a), uint32_t(b));
  case Type::F16x2:
    return addPair(uint32_t(a), uint32_t(b), addHalf);
  default:
    return addPair(uint32_t(a), uint32_t(b), addBrain);
  }
}

template <class Element> static uint64_t minMax(bool maximum, uint64_t a, uint64_t b) {
  Element x = Element(a), y = Element(b);
  return (maximum ? x > y : x < y) ? a : b;
}

static uint64_t minMax(Type type, bool maximum, uint64_t a, uint64_t b) {
  switch (type) {
  case Type::S32:
    return minMax<int32_t>(maximum, a, b);
  case Type::S64:
    return minMax<int64_t>(maximum, a, b);
  case Type::U32:
    return minMax<uint32_t>(maximum, a, b);
  default:
    return minMax<uint64_t>(maximum, a, b);
  }
}

/// The value that `operation` leaves in memory.
static uint64_t updated(Reduce operation, Type type, bool flushes, uint64_t old, uint64_t b, uint64_t c) {
  switch (operation) {
  case Reduce::Add:
    return isFloat(type) ? addFloat(type, flushes, old, b) : old + b;
  case Reduce::Min:
  case Reduce::Max:
    return minMax(type, operation == Reduce::Max, old, b);
  case Reduce::And:
    return old & b;
  case Reduce::Or:
    return old | b;
  case Reduce::Xor:
    return old ^ b;
  case Reduce::Exch:
    return b;
  case Reduce::Cas:
    return old == b ? c : old;
  case Reduce::Inc:
    return uint32_t(old) >= uint32_t(b) ? 0 : old + 1;
  default:
    return old == 0 || uint32_t(old) > uint32_t(b) ? b : old - 1;
  }
}

uint64_t combined(Reduce operation, Type type, uint64_t old, uint64_t value) {
  if (operation != Reduce::Add && (type == Type::F16 || type == Type::BF16)) {
    auto number = [&](uint64_t bits) {
      return type == Type::F16 ? f16ToFloat(uint32_t(bits)) : bf16ToFloat(uint32_t(bits));
    };
    bool oldIsNan = number(old) != number(old), takesOld = number(old) < number(value);
    if (oldIsNan || number(value) != number(value))
      return oldIsNan ? value : old;
    return takesOld == (operation == Reduce::Min) ? old : value;
  }
  return updated(operation, type, true, old, value, 0);
}

static bool isShared(Space space) { return space == Space::Shared || space == Space::SharedCluster; }

void orderStrong(Warp &w, const Op &op, Mask lanes, const uint64_t *address, bool reads, bool writes,
                 Strength strength) {
  GlobalOrder &order = w.context().memory.order;
  for (unsigned lane : lanesOf(lanes)) {
    Resolved place{op.form->space, address[lane]};
    if (place.space == Space::Generic)
      place = resolveGeneric(place.address);
    if (place.space == Space::Global)
      order.synchronise(w.clocks, place.address & ~uint64_t(3), reads, writes, strength);
    else if (isShared(place.space))
      order.synchronise(w.clocks, GlobalOrder::sharedKey(w.block().linear, uint32_t(place.address & ~uint64_t(3))),
                        reads, writes, strength);
  }
}

namespace {
/// One instruction's operands.
struct Atomic {
  const Op &op;
  const int32_t *d, *b, *c; ///< rows; d and c may be null
  Type type;
  unsigned size, count;
  Strength strength;
};
} // namespace

/// Where a lane operates, checked; null if nowhere and checks are off.
static uint8_t *locate(Warp &w, const Atomic &a, Actor actor, Resolved &place, uint32_t bytes) {
  ByteMask poison = 0;
  uint8_t *data = nullptr;
  bool valid = true;
  if (isShared(place.space)) {
    SharedPlace shared = sharedPlace(w, place.space, false, place.address, actor.lane);
    data = shared.cta->shared.atomic(actor, shared.offset, bytes, poison);
  } else if (place.space == Space::Local) {
    data = w.local.bytes(actor.lane, place.address, bytes, valid, w.checks());
    poison = valid ? 0 : 1;
  } else if (place.space == Space::Global) {
    data = w.context().memory.atomic(actor, place.address, bytes, a.strength, poison);
  } else {
    throw Fault{"readonly", "an atomic operation on a space that is read-only", {}, int(actor.lane)};
  }
  if (poison && w.checks().poison)
    throw Fault{"poison-use",
                fmt::format("an atomic operation on uninitialised memory at {}",
                            isShared(place.space) ? w.block().shared.names().describe(uint32_t(place.address))
                                                  : w.context().memory.describe(place.address)),
                {},
                int(actor.lane)};
  return data;
}

static void perform(Warp &w, const Atomic &a, Actor actor, uint64_t address) {
  Resolved place{a.op.form->space, address};
  if (place.space == Space::Generic)
    place = resolveGeneric(address);
  uint8_t *data = locate(w, a, actor, place, a.size * a.count);
  if (!data)
    return;
  const bool wide = a.size == 8, flushes = place.space == Space::Global && !a.op.form->noFtz;
  for (unsigned i = 0; i < a.count; ++i) {
    uint64_t old = 0;
    std::memcpy(&old, data + a.size * i, a.size);
    uint64_t b = w.registers.value(a.b[i], wide, actor.lane), c = a.c ? w.registers.value(a.c[i], wide, actor.lane) : 0;
    uint64_t value = updated(a.op.form->reduce, a.type, flushes, old, b, c);
    if (a.op.form->reduce == Reduce::Cas && a.size == 2)
      value = old == (b & 0xffff) ? c : old;
    // A spinning compare-and-swap that fails changes nothing.
    if (std::memcmp(data + a.size * i, &value, a.size))
      w.progressed();
    std::memcpy(data + a.size * i, &value, a.size);
    if (a.d && a.d[i] != kSinkRow)
      w.registers.setValue(a.d[i], wide, actor.lane, old);
  }
}

static void run(Warp &w, const Atomic &a, Mask lanes) {
  const Op &op = a.op;
  uint64_t address[kLanes];
  w.addresses(op, op.a, op.wideAddress & 1, op.imm, lanes, address);
  if (w.checks().poison)
    for (unsigned i = 0; i < a.count; ++i) {
      w.requireDefined(op, a.b[i], lanes, "an operand of an atomic operation");
      if (a.c)
        w.requireDefined(op, a.c[i], lanes, "an operand of an atomic operation");
    }
  orderStrong(w, op, lanes, address, true, true, a.strength);
  Actor actor = w.actor(op);
  // The order of the lanes is anybody's guess: it is a permutation of the seed's choice.
  uint64_t step = 1, first = 0;
  if (w.context().options.seed) {
    uint64_t drawn = w.context().draw(Draw::AtomicLanes, w.block().linear, ++w.block().event);
    step = 2 * (drawn % 16) + 1;
    first = drawn >> 8;
  }
  for (unsigned i = 0; i < kLanes; ++i) {
    actor.lane = unsigned((first + i * step) % kLanes);
    if (lanes >> actor.lane & 1)
      perform(w, a, actor, address[actor.lane]);
  }
  if (a.d)
    for (unsigned i = 0; i < a.count; ++i)
      if (a.d[i] != kSinkRow)
        w.registers.setPoison(a.d[i], lanes, 0);
}

/// Without a word about it, an atomic operation is relaxed and of the whole device.
static Strength atomicStrength(const Form &form) {
  Strength strength = strengthOf(form);
  if (strength.semantics == Semantics::None)
    strength.semantics = Semantics::Relaxed;
  return strength;
}

namespace memory {

void atomic(Warp &w, const Op &op, Mask lanes) {
  const Form &form = *op.form;
  const int32_t *lists = w.context().module.lists.data() + op.list;
  const int32_t *b = lists + op.listSize[0];
  const int32_t *c = form.reduce == Reduce::Cas ? b + op.listSize[1] : nullptr;
  run(w, {op, lists, b, c, form.type(), bitWidth(form.type()) / 8, op.listSize[0], atomicStrength(form)}, lanes);
}

void reduce(Warp &w, const Op &op, Mask lanes) {
  const Form &form = *op.form;
  run(w,
      {op, nullptr, w.context().module.lists.data() + op.list, nullptr, form.type(), bitWidth(form.type()) / 8,
       op.listSize[0], atomicStrength(form)},
      lanes);
}

} // namespace memory

} // namespace attn::sim
