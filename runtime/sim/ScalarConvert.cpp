// SPDX-License-Identifier: Apache-2.0
// Conversions between all number types.
#include "runtime/sim/ScalarKernel.h"

namespace attn::sim {
namespace {

const FloatFormat &formatOf(Type type) {
  switch (type) {
  case Type::F64:
    return kF64;
  case Type::F16:
  case Type::F16x2:
    return kF16;
  case Type::BF16:
  case Type::BF16x2:
    return kBF16;
  case Type::E4M3:
  case Type::E4M3x2:
    return kE4M3;
  case Type::E5M2:
  case Type::E5M2x2:
    return kE5M2;
  default:
    return kF32;
  }
}

uint64_t lowBits(uint64_t value, unsigned bits) { return bits >= 64 ? value : value & ((uint64_t(1) << bits) - 1); }
int64_t signExtended(uint64_t value, unsigned bits) { return int64_t(value << (64 - bits)) >> (64 - bits); }

/// As the register holds it: extended by the destination's own type, then cut by whoever writes the register.
uint64_t extended(uint64_t value, Type type) {
  return isSigned(type) ? uint64_t(signExtended(value, bitWidth(type))) : lowBits(value, bitWidth(type));
}

uint64_t largest(Type type) { return lowBits(~uint64_t(0), bitWidth(type) - (isSigned(type) ? 1 : 0)); }
/// The magnitude of the least number.
uint64_t least(Type type) { return isSigned(type) ? uint64_t(1) << (bitWidth(type) - 1) : 0; }

/// A signed magnitude clamped to the range of an integer type.
uint64_t clamped(uint64_t magnitude, bool negative, Type type) {
  if (negative)
    return extended(~std::min(magnitude, least(type)) + 1, type);
  return extended(std::min(magnitude, largest(type)), type);
}

uint64_t intToInt(const Form &f, uint64_t bits) {
  const Type to = f.types[0], from = f.types[1];
  const uint64_t value = extended(bits, from);
  if (!f.sat)
    return extended(value, to);
  const bool negative = isSigned(from) && int64_t(value) < 0;
  return clamped(negative ? ~value + 1 : value, negative, to);
}

/// What `.sat`, `.relu` and `.ftz` leave of a float result.
uint64_t finished(const Form &f, Type type, uint64_t bits) {
  const FloatFormat &format = formatOf(type);
  const bool nan = unpack(bits, format).kind == Unpacked::NaN, negative = bits & format.signBit();
  if (f.sat) {
    const uint64_t one = uint64_t(format.bias()) << format.mantissaBits;
    return nan || negative ? 0 : std::min(bits, one);
  }
  if (f.relu && !nan && negative)
    return 0;
  return f.ftz && type == Type::F32 ? flush(uint32_t(bits)) : bits;
}

uint64_t intToFloat(const Form &f, uint64_t bits) {
  const Type from = f.types[1];
  const uint64_t value = extended(bits, from);
  Unpacked u;
  u.sign = isSigned(from) && int64_t(value) < 0;
  u.magnitude = u.sign ? ~value + 1 : value;
  u.kind = value ? Unpacked::Finite : Unpacked::Zero;
  return finished(f, f.types[0], pack(u, formatOf(f.types[0]), f.rounding));
}

Unpacked floatSource(const Form &f, Type from, uint64_t bits) {
  if (f.ftz && from == Type::F32)
    bits = flush(uint32_t(bits));
  return unpack(lowBits(bits, bitWidth(from)), formatOf(from));
}

bool roundsToIntegral(Rounding r) { return r >= Rounding::Rni && r <= Rounding::Rpi; }

uint64_t floatToInt(const Form &f, uint64_t bits) {
  const Type to = f.types[0], from = f.types[1];
  const Unpacked u = floatSource(f, from, bits);
  switch (u.kind) {
  case Unpacked::Zero:
    return 0;
  case Unpacked::NaN:
    return bitWidth(to) == 64 || bitWidth(from) == 64 ? extended(uint64_t(1) << (bitWidth(to) - 1), to) : 0;
  case Unpacked::Infinity:
    return clamped(~uint64_t(0), u.sign, to);
  case Unpacked::Finite:
    break;
  }
  const int top = u.exponent + 63 - std::countl_zero(u.magnitude);
  if (top >= 64)
    return clamped(~uint64_t(0), u.sign, to);
  return clamped(shiftRounded(u.magnitude, -u.exponent, f.rounding, u.sign), u.sign, to);
}

uint64_t floatToFloat(const Form &f, Type to, Type from, uint64_t bits) {
  Unpacked u = floatSource(f, from, bits);
  Rounding rounding = f.rounding;
  if (roundsToIntegral(rounding)) {
    if (u.kind == Unpacked::Finite && u.exponent < 0) {
      u.magnitude = shiftRounded(u.magnitude, -u.exponent, rounding, u.sign);
      u.exponent = 0;
      u.kind = u.magnitude ? Unpacked::Finite : Unpacked::Zero;
    }
    rounding = Rounding::Rn;
  }
  return finished(f, to, pack(u, formatOf(to), rounding, f.satfinite));
}

struct AnyToAny {
  static uint64_t apply(const Form &f, uint64_t a, uint64_t, uint64_t) {
    const bool to = isFloat(f.types[0]), from = isFloat(f.types[1]);
    if (to)
      return from ? floatToFloat(f, f.types[0], f.types[1], a) : intToFloat(f, a);
    return from ? floatToInt(f, a) : intToInt(f, a);
  }
};

/// cvt of two f32 to a packed pair: the first source is the upper half.
struct PairOf {
  static uint64_t apply(const Form &f, uint64_t a, uint64_t b, uint64_t) {
    const unsigned bits = bitWidth(f.types[0]) / 2;
    return floatToFloat(f, f.types[0], Type::F32, a) << bits | floatToFloat(f, f.types[0], Type::F32, b);
  }
};
/// cvt between packed pairs of different width.
struct PackedToPacked {
  static uint64_t apply(const Form &f, uint64_t a, uint64_t, uint64_t) {
    const unsigned from = bitWidth(f.types[1]) / 2, to = bitWidth(f.types[0]) / 2;
    const uint64_t mask = (uint64_t(1) << from) - 1;
    return element(f, a >> from & mask) << to | element(f, a & mask);
  }
  static uint64_t element(const Form &f, uint64_t bits) {
    const Unpacked u = unpack(bits, formatOf(f.types[1]));
    return finished(f, f.types[0], pack(u, formatOf(f.types[0]), Rounding::Rn, f.satfinite));
  }
};

/// An f32 whose low 13 bits mean nothing to the hardware: zero, or noise under approx=worst.
struct ToTf32 {
  static uint64_t apply(const Form &f, uint64_t a, uint64_t, uint64_t) {
    const Unpacked u = unpack(uint32_t(a), kF32);
    uint64_t bits = pack(u, kTF32, f.rounding, f.satfinite) << 13;
    if (u.kind == Unpacked::NaN)
      return kNan32;
    if (f.relu && bits & 0x80000000u)
      bits = 0;
    return f.worst ? bits | ((a * 0x9e3779b1u >> 7) & 0x1fff) : bits;
  }
};

// The conversions of inner loops, in a form that vectorises.
template <bool Brain> struct PairNearest {
  static uint32_t apply(uint32_t a, uint32_t b) {
    return Brain ? floatToBf16(asFloat(a)) << 16 | floatToBf16(asFloat(b))
                 : floatToF16(asFloat(a)) << 16 | floatToF16(asFloat(b));
  }
};
template <bool Brain> struct HalfNearest {
  static uint32_t apply(uint32_t a) { return Brain ? floatToBf16(asFloat(a)) : floatToF16(asFloat(a)); }
};
template <bool Brain> struct FromHalf {
  static uint32_t apply(uint32_t a) { return canonical(Brain ? bf16ToFloat(a & 0xffff) : f16ToFloat(a & 0xffff)); }
};
struct FloatToS32 {
  static uint32_t apply(uint32_t a) {
    const float x = asFloat(a);
    const float inside = x >= 0x1p31f ? 0.0f : x < -0x1p31f ? 0.0f : x;
    const int32_t value = int32_t(x == x ? inside : 0.0f);
    return x >= 0x1p31f ? 0x7fffffffu : x < -0x1p31f ? 0x80000000u : uint32_t(value);
  }
};
struct S32ToFloat {
  static uint32_t apply(uint32_t a) { return asBits(float(int32_t(a))); }
};
struct U32ToFloat {
  static uint32_t apply(uint32_t a) { return asBits(float(a)); }
};
struct S32ToS64 {
  static uint64_t apply(uint32_t a) { return uint64_t(int64_t(int32_t(a))); }
};
struct U32ToU64 {
  static uint64_t apply(uint32_t a) { return a; }
};
struct ToU32 {
  static uint32_t apply(uint64_t a) { return uint32_t(a); }
};

/// Null if there is no fast way. Registers must be exactly as wide as the types.
ScalarHandler fastConvert(const Form &f) {
  using U = uint32_t;
  const Type to = f.types[0], from = f.types[1];
  if (f.sat || f.ftz || f.relu || f.satfinite)
    return nullptr;
  if (from == Type::F32 && f.rounding == Rounding::Rn && to == Type::BF16)
    return map1<HalfNearest<true>, U, U>;
  if (from == Type::F32 && f.rounding == Rounding::Rn && to == Type::F16)
    return map1<HalfNearest<false>, U, U>;
  if (to == Type::F32 && from == Type::BF16)
    return map1<FromHalf<true>, U, U>;
  if (to == Type::F32 && from == Type::F16)
    return map1<FromHalf<false>, U, U>;
  if (to == Type::S32 && from == Type::F32 && f.rounding == Rounding::Rzi)
    return map1<FloatToS32, U, U>;
  if (to == Type::F32 && from == Type::S32 && f.rounding == Rounding::Rn)
    return map1<S32ToFloat, U, U>;
  if (to == Type::F32 && from == Type::U32 && f.rounding == Rounding::Rn)
    return map1<U32ToFloat, U, U>;
  if (bitWidth(to) == 64 && from == Type::S32 && !isFloat(to))
    return map1<S32ToS64, uint64_t, U>;
  if (bitWidth(to) == 64 && from == Type::U32 && !isFloat(to))
    return map1<U32ToU64, uint64_t, U>;
  if (bitWidth(to) == 32 && !isFloat(to) && !isFloat(from) && bitWidth(from) == 64)
    return fromHalf<map1<ToU32, U, uint64_t>, 0, Always>;
  return nullptr;
}

/// The general conversion: any types, and registers wider than they are.
void convertLanes(Registers &r, const Op &op, Mask lanes) {
  const bool wideSource = op.srcBits == 64, wide = op.dstBits == 64;
  for (Mask rest = lanes; rest; rest &= rest - 1) {
    const unsigned l = unsigned(std::countr_zero(rest));
    const uint64_t value = AnyToAny::apply(*op.form, r.value(op.a, wideSource, l), 0, 0);
    r.setValue(op.dst, wide, l, lowBits(value, op.dstBits));
  }
  r.setPoison(op.dst, lanes, r.poison(op.a));
}

/// Whether PTX wants, allows or forbids the rounding that was written.
bool roundingFits(const Form &f) {
  const Type to = f.types[0], from = f.types[1];
  const Rounding r = f.rounding;
  const bool integral = roundsToIntegral(r);
  if (f.ftz && to != Type::F32 && from != Type::F32)
    return false;
  if (!isFloat(from) && !isFloat(to)) // .sat must be able to change something
    return !f.sat || bitWidth(to) <= bitWidth(from) || (isSigned(from) && !isSigned(to));
  if (!isFloat(from) || !isFloat(to))
    return true; // the rows say it
  if (bitWidth(to) < bitWidth(from) || (bitWidth(to) == bitWidth(from) && to != from))
    return r != Rounding::None && !integral;
  return r == Rounding::None || (to == from && integral);
}

} // namespace

namespace scalar::ATTN_SCALAR_ISA {

ScalarHandler cvt(const Form &f) {
  if (f.types[0] == Type::TF32)
    return mapSlow<ToTf32, 1>;
  if (!roundingFits(f))
    return nullptr;
  const ScalarHandler fast = f.exactWidths ? fastConvert(f) : nullptr;
  return fast ? fast : convertLanes;
}
ScalarHandler cvtPair(const Form &f) {
  using U = uint32_t;
  if (f.rounding == Rounding::Rn && !f.relu && !f.satfinite && f.types[0] == Type::BF16x2)
    return map2<PairNearest<true>, U, U, U>;
  if (f.rounding == Rounding::Rn && !f.relu && !f.satfinite && f.types[0] == Type::F16x2)
    return map2<PairNearest<false>, U, U, U>;
  return mapSlow<PairOf, 2>;
}
ScalarHandler cvtPacked(const Form &) { return mapSlow<PackedToPacked, 1>; }

} // namespace scalar::ATTN_SCALAR_ISA
} // namespace attn::sim
