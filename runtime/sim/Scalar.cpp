// SPDX-License-Identifier: Apache-2.0
// Integer and bit instructions.
#include "runtime/sim/ScalarKernel.h"

namespace attn::sim {
namespace {

//===-- Arithmetic ---------------------------------------------------------------------------------------------------

template <class T> struct Add {
  static Word<T> apply(Word<T> a, Word<T> b) { return stored<T>(a + b); }
};
template <class T> struct Sub {
  static Word<T> apply(Word<T> a, Word<T> b) { return stored<T>(a - b); }
};
template <class T> struct MulLo {
  static Word<T> apply(Word<T> a, Word<T> b) { return stored<T>(a * b); }
};
template <class T> struct MadLo {
  static Word<T> apply(Word<T> a, Word<T> b, Word<T> c) { return stored<T>(a * b + c); }
};

/// A type of twice the width.
template <class T> struct Twice;
template <> struct Twice<int16_t> { using Type = int32_t; };
template <> struct Twice<uint16_t> { using Type = uint32_t; };
template <> struct Twice<int32_t> { using Type = int64_t; };
template <> struct Twice<uint32_t> { using Type = uint64_t; };
template <> struct Twice<int64_t> { using Type = __int128; };
template <> struct Twice<uint64_t> { using Type = unsigned __int128; };

template <class T> struct MulHi {
  static Word<T> apply(Word<T> a, Word<T> b) {
    using W = typename Twice<T>::Type;
    return stored<T>(Word<T>((W(T(a)) * W(T(b))) >> (8 * sizeof(T))));
  }
};
template <class T> struct MadHi {
  static Word<T> apply(Word<T> a, Word<T> b, Word<T> c) { return stored<T>(MulHi<T>::apply(a, b) + c); }
};
template <class T> struct MulWide {
  using D = Word<typename Twice<T>::Type>;
  static D apply(Word<T> a, Word<T> b) {
    using W = typename Twice<T>::Type;
    return D(W(T(a)) * W(T(b)));
  }
};
template <class T> struct MadWide {
  using D = typename MulWide<T>::D;
  static D apply(Word<T> a, Word<T> b, D c) { return MulWide<T>::apply(a, b) + c; }
};
template <class T> struct Sad {
  static Word<T> apply(Word<T> a, Word<T> b, Word<T> c) { return stored<T>(c + (T(a) < T(b) ? b - a : a - b)); }
};
template <class T> struct Min {
  static Word<T> apply(Word<T> a, Word<T> b) { return T(a) < T(b) ? a : b; }
};
template <class T> struct Max {
  static Word<T> apply(Word<T> a, Word<T> b) { return T(a) < T(b) ? b : a; }
};
/// `.relu`: 0 instead of what is below it.
template <class Op> struct NotNegative {
  static uint32_t apply(uint32_t a, uint32_t b) {
    uint32_t result = Op::apply(a, b);
    return int32_t(result) < 0 ? 0 : result;
  }
};
template <class T> struct Negate {
  static Word<T> apply(Word<T> a) { return stored<T>(Word<T>(0) - a); }
};
template <class T> struct Absolute {
  static Word<T> apply(Word<T> a) { return T(a) < 0 ? Negate<T>::apply(a) : a; }
};

template <bool High, bool Signed> struct Mul24 {
  static uint32_t apply(uint32_t a, uint32_t b) {
    const int64_t product = Signed ? int64_t(int32_t(a << 8) >> 8) * (int32_t(b << 8) >> 8)
                                   : int64_t(uint64_t(a & 0xffffff) * (b & 0xffffff));
    return uint32_t(High ? product >> 16 : product);
  }
};

/// Quotient or remainder. Zero divisors of lanes that count are a fault; the least number over -1 wraps.
template <class T, bool Remainder> void divideLanes(Registers &r, const Op &op, Mask lanes) {
  const Word<T> *a = source<Word<T>>(r, op.a), *b = source<Word<T>>(r, op.b);
  Word<T> *d = target<Word<T>>(r, op.dst);
  const Mask poison = r.poison(op.a) | r.poison(op.b);
  Mask zero = 0;
  for (Mask rest = lanes; rest; rest &= rest - 1) {
    const unsigned l = unsigned(std::countr_zero(rest));
    if (T(b[l]) == 0)
      zero |= Mask(1) << l;
  }
  // A poisoned divisor may hold anything, zero included.
  if (zero & ~poison)
    throw ScalarFault{"division by zero", zero & ~poison};
  for (Mask rest = lanes & ~zero; rest; rest &= rest - 1) {
    const unsigned l = unsigned(std::countr_zero(rest));
    const T x = T(a[l]), y = T(b[l]);
    if (std::is_signed_v<T> && y == T(-1))
      d[l] = Remainder ? 0 : Negate<std::make_signed_t<T>>::apply(a[l]);
    else
      d[l] = stored<T>(Word<T>(Remainder ? x % y : x / y));
  }
  r.setPoison(op.dst, lanes, poison);
}

//===-- Carry chains -------------------------------------------------------------------------------------------------

enum class CarryKind { Add, Sub, MadLo, MadHi };

template <class W, CarryKind Kind, bool In, bool Out> void carryLanes(Registers &r, const Op &op, Mask lanes) {
  using U = typename Twice<W>::Type;
  constexpr bool kMad = Kind == CarryKind::MadLo || Kind == CarryKind::MadHi;
  const W *a = source<W>(r, op.a), *b = source<W>(r, op.b), *c = kMad ? source<W>(r, op.c) : a;
  W *d = target<W>(r, op.dst);
  const Mask poison = r.poison(op.a) | r.poison(op.b) | (kMad ? r.poison(op.c) : 0) | (In ? r.carryPoison : 0);
  Mask carry = 0;
  for (unsigned l = 0; l < kLanes; ++l) {
    if (!(lanes >> l & 1))
      continue;
    const U in = In ? r.carryFlags >> l & 1 : 0;
    U sum;
    if constexpr (Kind == CarryKind::Sub)
      sum = U(a[l]) - U(b[l]) - in;
    else if constexpr (kMad)
      sum = U(Kind == CarryKind::MadLo ? W(a[l] * b[l]) : W((U(a[l]) * b[l]) >> (8 * sizeof(W)))) + c[l] + in;
    else
      sum = U(a[l]) + b[l] + in;
    carry |= Mask((sum >> (8 * sizeof(W))) & 1) << l;
    d[l] = W(sum);
  }
  r.setPoison(op.dst, lanes, poison);
  if (Out) {
    r.carryFlags = (r.carryFlags & ~lanes) | carry;
    r.carryPoison = (r.carryPoison & ~lanes) | (poison & lanes);
  }
}

template <CarryKind Kind, bool In, bool Out> ScalarHandler carryByWidth(Type type) {
  return bitWidth(type) == 64 ? carryLanes<uint64_t, Kind, In, Out> : carryLanes<uint32_t, Kind, In, Out>;
}

//===-- Bits ---------------------------------------------------------------------------------------------------------

template <class T> struct Popc {
  static uint32_t apply(Word<T> a) { return uint32_t(std::popcount(a)); }
};
template <class T> struct Clz {
  static uint32_t apply(Word<T> a) { return uint32_t(std::countl_zero(a)); }
};
template <class T, bool Shift> struct Bfind {
  static uint32_t apply(Word<T> a) {
    const Word<T> positive = T(a) < T(0) ? ~a : a;
    const uint32_t zeros = uint32_t(std::countl_zero(positive));
    const uint32_t msb = 8 * sizeof(T) - 1;
    return positive == 0 ? ~0u : Shift ? zeros : msb - zeros;
  }
};
template <class T> struct Brev {
  static Word<T> apply(Word<T> a) {
    Word<T> out = 0;
    for (unsigned i = 0; i < 8 * sizeof(T); ++i)
      out |= ((a >> i) & 1) << (8 * sizeof(T) - 1 - i);
    return out;
  }
};
template <class T> struct Bfe {
  static Word<T> apply(Word<T> a, uint32_t b, uint32_t c) {
    constexpr uint32_t kBits = 8 * sizeof(T);
    const uint32_t position = b & 255, length = c & 255;
    if (length == 0)
      return 0;
    const Word<T> shifted = position < kBits ? a >> position : 0;
    const Word<T> keep = length < kBits ? (Word<T>(1) << length) - 1 : ~Word<T>(0);
    if (!std::is_signed_v<T>)
      return shifted & keep;
    const uint32_t last = std::min(position + length - 1, kBits - 1);
    const bool sign = (a >> last) & 1;
    // Bits beyond the field or beyond the register are copies of the sign.
    const uint32_t valid = position < kBits ? std::min(length, kBits - position) : 0;
    const Word<T> inside = valid >= kBits ? ~Word<T>(0) : (Word<T>(1) << valid) - 1;
    return (shifted & inside) | (sign ? ~inside : 0);
  }
};
template <class W> void bfiLanes(Registers &r, const Op &op, Mask lanes) {
  Output<W> out(r, op.dst, lanes);
  const W *a = source<W>(r, op.a), *b = source<W>(r, op.b);
  const uint32_t *c = r.read(op.c), *e = r.read(op.e);
  const Mask poison = r.poison(op.a) | r.poison(op.b) | r.poison(op.c) | r.poison(op.e);
  constexpr uint32_t kBits = 8 * sizeof(W);
  for (unsigned l = 0; l < kLanes; ++l) {
    const uint32_t position = c[l] & 255, length = e[l] & 255;
    const W field = length < kBits ? (W(1) << length) - 1 : ~W(0);
    const W where = position < kBits ? field << position : 0;
    out.words[l] = (b[l] & ~where) | (position < kBits ? (a[l] << position) & where : 0);
  }
  out.finish();
  r.setPoison(op.dst, lanes, poison);
}

struct PrmtDefault {
  static uint32_t apply(uint32_t a, uint32_t b, uint32_t c) {
    const uint64_t bytes = uint64_t(b) << 32 | a;
    uint32_t out = 0;
    for (unsigned i = 0; i < 4; ++i) {
      const uint32_t selector = c >> (4 * i) & 15;
      uint32_t byte = uint32_t(bytes >> (8 * (selector & 7))) & 255;
      if (selector & 8)
        byte = byte & 128 ? 255 : 0;
      out |= byte << (8 * i);
    }
    return out;
  }
};
template <Mode M> struct PrmtMode {
  static uint32_t apply(uint32_t a, uint32_t b, uint32_t c) {
    const uint32_t n = c & 3;
    uint32_t selector = 0;
    for (uint32_t i = 0; i < 4; ++i) {
      uint32_t byte = 0;
      switch (M) {
      case Mode::F4e:
        byte = n + i;
        break;
      case Mode::B4e:
        byte = (8 + n - i) & 7;
        break;
      case Mode::Rc8:
        byte = n;
        break;
      case Mode::Ecl:
        byte = std::max(n, i);
        break;
      case Mode::Ecr:
        byte = std::min(n, i);
        break;
      default:
        byte = 2 * (n & 1) + (i & 1);
        break;
      }
      selector |= byte << (4 * i);
    }
    return PrmtDefault::apply(a, b, selector);
  }
};

struct Fns {
  static uint32_t apply(uint32_t mask, uint32_t base, uint32_t offset) {
    const int32_t n = int32_t(offset);
    if (n == 0)
      return base < 32 && (mask >> base & 1) ? base : ~0u;
    uint32_t left = n < 0 ? 0u - offset : offset;
    for (uint32_t at = base; at < 32; at += n < 0 ? ~0u : 1u)
      if ((mask >> at & 1) && --left == 0)
        return at;
    return ~0u;
  }
};
template <bool SignedA, bool SignedB> struct Dp4a {
  static uint32_t apply(uint32_t a, uint32_t b, uint32_t c) {
    for (unsigned i = 0; i < 32; i += 8) {
      const int32_t x = SignedA ? int8_t(a >> i) : int32_t(a >> i & 255);
      const int32_t y = SignedB ? int8_t(b >> i) : int32_t(b >> i & 255);
      c += uint32_t(x * y);
    }
    return c;
  }
};
/// Two halves of a with the lower or the upper two bytes of b.
template <bool SignedA, bool SignedB, bool High> struct Dp2a {
  static uint32_t apply(uint32_t a, uint32_t b, uint32_t c) {
    for (unsigned i = 0; i < 2; ++i) {
      const uint32_t half = a >> (16 * i), byte = b >> (8 * i + (High ? 16 : 0));
      const int32_t x = SignedA ? int16_t(half) : int32_t(half & 0xffff);
      const int32_t y = SignedB ? int8_t(byte) : int32_t(byte & 255);
      c += uint32_t(x * y);
    }
    return c;
  }
};
template <bool SignedA, bool SignedB> ScalarHandler dp2aOf(bool high) {
  using U = uint32_t;
  return high ? map3<Dp2a<SignedA, SignedB, true>, U, U, U, U> : map3<Dp2a<SignedA, SignedB, false>, U, U, U, U>;
}
template <bool Left, bool Clamp> struct Funnel {
  static uint32_t apply(uint32_t a, uint32_t b, uint32_t c) {
    const uint32_t n = Clamp ? std::min(c, 32u) : c & 31;
    const uint64_t both = uint64_t(b) << 32 | a;
    return Left ? uint32_t((both << n) >> 32) : uint32_t(both >> n);
  }
};
template <class T> struct Shl {
  static Word<T> apply(Word<T> a, uint32_t n) {
    constexpr uint32_t kBits = 8 * sizeof(T);
    return n < kBits ? stored<T>(a << (n & (8 * sizeof(Word<T>) - 1))) : 0;
  }
};
template <class T> struct Shr {
  static Word<T> apply(Word<T> a, uint32_t n) {
    constexpr uint32_t kBits = 8 * sizeof(T);
    if constexpr (std::is_signed_v<T>)
      return stored<T>(Word<T>(T(a) >> std::min(n, kBits - 1)));
    else
      return n < kBits ? a >> (n & (8 * sizeof(Word<T>) - 1)) : 0;
  }
};
template <class T> constexpr ScalarHandler shlOf() { return map2<Shl<T>, Word<T>, Word<T>, uint32_t>; }
/// Lanes whose shift leaves nothing of the lower half.
struct ShiftsFar {
  static Mask lanes(const Registers &r, const Op &op) {
    const uint32_t *amount = r.read(op.b);
    Mask far = 0;
    for (unsigned l = 0; l < kLanes; ++l)
      far |= amount[l] >= 32 ? Mask(1) << l : 0;
    return far;
  }
  static Mask poison(const Registers &r, const Op &op) { return r.poison(op.b); }
};
template <class T> constexpr ScalarHandler shrOf() {
  if constexpr (sizeof(T) == 8)
    return fromHalf<map2<Shr<T>, Word<T>, Word<T>, uint32_t>, 1, ShiftsFar>;
  else
    return map2<Shr<T>, Word<T>, Word<T>, uint32_t>;
}
template <class T> constexpr ScalarHandler bfeOf() { return map3<Bfe<T>, Word<T>, Word<T>, uint32_t, uint32_t>; }

void lop3Lanes(Registers &r, const Op &op, Mask lanes) {
  Output<uint32_t> out(r, op.dst, lanes);
  const uint32_t *a = r.read(op.a), *b = r.read(op.b), *c = r.read(op.c);
  const Mask poison = r.poison(op.a) | r.poison(op.b) | r.poison(op.c);
  const uint32_t table = r.read(op.e)[0];
  uint32_t *d = out.words;
  ATTN_LANES
  for (unsigned l = 0; l < kLanes; ++l) {
    uint32_t value = 0;
    for (uint32_t i = 0; i < 8; ++i) {
      const uint32_t term = (i & 4 ? a[l] : ~a[l]) & (i & 2 ? b[l] : ~b[l]) & (i & 1 ? c[l] : ~c[l]);
      value |= term & (0u - (table >> i & 1));
    }
    d[l] = value;
  }
  out.finish();
  r.setPoison(op.dst, lanes, poison);
}

} // namespace

//===-- Choosers -----------------------------------------------------------------------------------------------------

namespace scalar::ATTN_SCALAR_ISA {

// The float halves of families with both kinds are in ScalarFloat.cpp.
ScalarHandler floatAdd(const Form &), floatSub(const Form &), floatMul(const Form &), floatDivide(const Form &),
    floatMinMax(const Form &, bool), floatSign(const Form &, bool);

ScalarHandler add(const Form &f) { return isFloat(f.type()) ? floatAdd(f) : binaryByWidth<Add>(f.type()); }
ScalarHandler sub(const Form &f) { return isFloat(f.type()) ? floatSub(f) : binaryByWidth<Sub>(f.type()); }
ScalarHandler mul(const Form &f) {
  if (isFloat(f.type()))
    return floatMul(f);
  if (f.mode == Mode::Lo)
    return binaryByWidth<MulLo>(f.type());
  if (f.mode == Mode::Hi)
    return binaryByType<MulHi>(f.type());
  switch (f.type()) {
#define ATTN_WIDE(T) map2<MulWide<T>, MulWide<T>::D, Word<T>, Word<T>>
  case Type::S16:
    return ATTN_WIDE(int16_t);
  case Type::U16:
    return ATTN_WIDE(uint16_t);
  case Type::S32:
    return ATTN_WIDE(int32_t);
  case Type::U32:
    return ATTN_WIDE(uint32_t);
  default:
    return nullptr;
#undef ATTN_WIDE
  }
}
ScalarHandler mad(const Form &f) {
  if (f.mode == Mode::Lo)
    return ternaryByWidth<MadLo>(f.type());
  if (f.mode == Mode::Hi)
    return ternaryByType<MadHi>(f.type());
  switch (f.type()) {
#define ATTN_WIDE(T) map3<MadWide<T>, MadWide<T>::D, Word<T>, Word<T>, MadWide<T>::D>
  case Type::S16:
    return ATTN_WIDE(int16_t);
  case Type::U16:
    return ATTN_WIDE(uint16_t);
  case Type::S32:
    return ATTN_WIDE(int32_t);
  case Type::U32:
    return ATTN_WIDE(uint32_t);
  default:
    return nullptr;
#undef ATTN_WIDE
  }
}
ScalarHandler mul24(const Form &f) {
  const bool high = f.mode == Mode::Hi, sign = f.type() == Type::S32;
  using U = uint32_t;
  return high ? (sign ? map2<Mul24<true, true>, U, U, U> : map2<Mul24<true, false>, U, U, U>)
              : (sign ? map2<Mul24<false, true>, U, U, U> : map2<Mul24<false, false>, U, U, U>);
}
ScalarHandler sad(const Form &f) { return ternaryByType<Sad>(f.type()); }
ScalarHandler divide(const Form &f) {
  if (isFloat(f.type()))
    return floatDivide(f);
#define ATTN_CASE(T) divideLanes<T, false>
  ATTN_CHOOSE_INT(f.type(), ATTN_CASE)
#undef ATTN_CASE
}
ScalarHandler remainder(const Form &f){
#define ATTN_CASE(T) divideLanes<T, true>
    ATTN_CHOOSE_INT(f.type(), ATTN_CASE)
#undef ATTN_CASE
} ScalarHandler minimum(const Form &f) {
  return isFloat(f.type()) ? floatMinMax(f, false) : binaryByType<Min>(f.type());
}
ScalarHandler maximum(const Form &f) { return isFloat(f.type()) ? floatMinMax(f, true) : binaryByType<Max>(f.type()); }
ScalarHandler minimumNotNegative(const Form &) { return map2<NotNegative<Min<int32_t>>, uint32_t, uint32_t, uint32_t>; }
ScalarHandler maximumNotNegative(const Form &) { return map2<NotNegative<Max<int32_t>>, uint32_t, uint32_t, uint32_t>; }
ScalarHandler absolute(const Form &f) {
  return isFloat(f.type()) ? floatSign(f, false) : unaryByType<Absolute>(f.type());
}
ScalarHandler negate(const Form &f) { return isFloat(f.type()) ? floatSign(f, true) : unaryByWidth<Negate>(f.type()); }

ScalarHandler addCarry(const Form &f) { return carryByWidth<CarryKind::Add, false, true>(f.type()); }
ScalarHandler addWithCarry(const Form &f) {
  return f.carryOut ? carryByWidth<CarryKind::Add, true, true>(f.type())
                    : carryByWidth<CarryKind::Add, true, false>(f.type());
}
ScalarHandler subCarry(const Form &f) { return carryByWidth<CarryKind::Sub, false, true>(f.type()); }
ScalarHandler subWithCarry(const Form &f) {
  return f.carryOut ? carryByWidth<CarryKind::Sub, true, true>(f.type())
                    : carryByWidth<CarryKind::Sub, true, false>(f.type());
}
// The upper half of a signed product differs from the unsigned one; no compiler chains signed `mad.hi.cc`.
ScalarHandler madCarry(const Form &f) {
  if (f.mode == Mode::Hi && isSigned(f.type()))
    return nullptr;
  return f.mode == Mode::Lo ? carryByWidth<CarryKind::MadLo, false, true>(f.type())
                            : carryByWidth<CarryKind::MadHi, false, true>(f.type());
}
ScalarHandler madWithCarry(const Form &f) {
  if (f.mode == Mode::Hi && isSigned(f.type()))
    return nullptr;
  if (f.carryOut)
    return f.mode == Mode::Lo ? carryByWidth<CarryKind::MadLo, true, true>(f.type())
                              : carryByWidth<CarryKind::MadHi, true, true>(f.type());
  return f.mode == Mode::Lo ? carryByWidth<CarryKind::MadLo, true, false>(f.type())
                            : carryByWidth<CarryKind::MadHi, true, false>(f.type());
}

ScalarHandler popc(const Form &f) {
  return f.type() == Type::B64 ? map1<Popc<uint64_t>, uint32_t, uint64_t> : map1<Popc<uint32_t>, uint32_t, uint32_t>;
}
ScalarHandler clz(const Form &f) {
  return f.type() == Type::B64 ? map1<Clz<uint64_t>, uint32_t, uint64_t> : map1<Clz<uint32_t>, uint32_t, uint32_t>;
}
ScalarHandler bfind(const Form &f) {
  const bool shift = f.mode == Mode::ShiftAmount;
#define ATTN_CASE(T) (shift ? map1<Bfind<T, true>, uint32_t, Word<T>> : map1<Bfind<T, false>, uint32_t, Word<T>>)
  ATTN_CHOOSE_INT(f.type(), ATTN_CASE)
#undef ATTN_CASE
}
ScalarHandler brev(const Form &f) { return f.type() == Type::B64 ? unary<Brev, uint64_t>() : unary<Brev, uint32_t>(); }
ScalarHandler bfe(const Form &f){
#define ATTN_CASE(T) bfeOf<T>()
    ATTN_CHOOSE_INT(f.type(), ATTN_CASE)
#undef ATTN_CASE
} ScalarHandler bfi(const Form &f) {
  return f.type() == Type::B64 ? bfiLanes<uint64_t> : bfiLanes<uint32_t>;
}
ScalarHandler prmt(const Form &f) {
  using U = uint32_t;
  switch (f.mode) {
  case Mode::F4e:
    return map3<PrmtMode<Mode::F4e>, U, U, U, U>;
  case Mode::B4e:
    return map3<PrmtMode<Mode::B4e>, U, U, U, U>;
  case Mode::Rc8:
    return map3<PrmtMode<Mode::Rc8>, U, U, U, U>;
  case Mode::Ecl:
    return map3<PrmtMode<Mode::Ecl>, U, U, U, U>;
  case Mode::Ecr:
    return map3<PrmtMode<Mode::Ecr>, U, U, U, U>;
  case Mode::Rc16:
    return map3<PrmtMode<Mode::Rc16>, U, U, U, U>;
  default:
    return map3<PrmtDefault, U, U, U, U>;
  }
}
ScalarHandler fns(const Form &) { return map3<Fns, uint32_t, uint32_t, uint32_t, uint32_t>; }
ScalarHandler dp4a(const Form &f) {
  using U = uint32_t;
  const bool a = f.types[0] == Type::S32, b = f.types[1] == Type::S32;
  return a ? (b ? map3<Dp4a<true, true>, U, U, U, U> : map3<Dp4a<true, false>, U, U, U, U>)
           : (b ? map3<Dp4a<false, true>, U, U, U, U> : map3<Dp4a<false, false>, U, U, U, U>);
}
ScalarHandler dp2a(const Form &f) {
  const bool a = f.types[0] == Type::S32, b = f.types[1] == Type::S32, high = f.mode == Mode::Hi;
  return a ? (b ? dp2aOf<true, true>(high) : dp2aOf<true, false>(high))
           : (b ? dp2aOf<false, true>(high) : dp2aOf<false, false>(high));
}
ScalarHandler shf(const Form &f) {
  using U = uint32_t;
  const bool left = f.mode == Mode::Left, clamp = f.mode2 == Mode::Clamp;
  return left ? (clamp ? map3<Funnel<true, true>, U, U, U, U> : map3<Funnel<true, false>, U, U, U, U>)
              : (clamp ? map3<Funnel<false, true>, U, U, U, U> : map3<Funnel<false, false>, U, U, U, U>);
}
ScalarHandler shl(const Form &f){
#define ATTN_CASE(T) shlOf<T>()
    ATTN_CHOOSE_WIDTH(f.type(), ATTN_CASE)
#undef ATTN_CASE
} ScalarHandler shr(const Form &f) {
#define ATTN_CASE(T) shrOf<T>()
  if (!isSigned(f.type())) {
    ATTN_CHOOSE_WIDTH(f.type(), ATTN_CASE)
  }
  ATTN_CHOOSE_INT(f.type(), ATTN_CASE)
#undef ATTN_CASE
}
ScalarHandler lop3(const Form &) { return lop3Lanes; }

} // namespace scalar::ATTN_SCALAR_ISA
} // namespace attn::sim
