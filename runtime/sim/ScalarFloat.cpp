// SPDX-License-Identifier: Apache-2.0
// Floating-point arithmetic: f32 and f64, halves in pairs, minimum and maximum, signs, approximations.
#include "runtime/sim/ScalarKernel.h"

#include <cfenv>
#include <cmath>

namespace attn::sim {
namespace {

//===-- f32 and f64 --------------------------------------------------------------------------------------------------

enum class Operation { Add, Sub, Mul, Fma, Div, Sqrt, Rcp };

template <Operation O, class T> T compute(T a, T b, T c) {
  switch (O) {
  case Operation::Add:
    return a + b;
  case Operation::Sub:
    return a - b;
  case Operation::Mul:
    return a * b;
  case Operation::Fma:
    return std::is_same_v<T, float> ? T(__builtin_fmaf(float(a), float(b), float(c)))
                                    : T(__builtin_fma(double(a), double(b), double(c)));
  case Operation::Div:
    return a / b;
  case Operation::Sqrt:
    return std::is_same_v<T, float> ? T(__builtin_sqrtf(float(a))) : T(__builtin_sqrt(double(a)));
  default:
    return T(1) / a;
  }
}

/// NaN becomes +0.
inline uint32_t saturated(uint32_t bits) {
  const float x = asFloat(bits);
  return x > 0.0f ? (x < 1.0f ? bits : 0x3f800000u) : 0u;
}

/// f32 to nearest even, with both modifiers known.
template <Operation O, bool Ftz, bool Sat> struct Single {
  static uint32_t apply(uint32_t a, uint32_t b = 0, uint32_t c = 0) {
    if (Ftz)
      a = flush(a), b = flush(b), c = flush(c);
    uint32_t bits = canonical(compute<O, float>(asFloat(a), asFloat(b), asFloat(c)));
    if (Ftz)
      bits = flush(bits);
    return Sat ? saturated(bits) : bits;
  }
};
template <Operation O> struct Double {
  static uint64_t apply(uint64_t a, uint64_t b = 0, uint64_t c = 0) {
    return canonical(compute<O, double>(asDouble(a), asDouble(b), asDouble(c)));
  }
};

int hostRounding(Rounding rounding) {
  switch (rounding) {
  case Rounding::Rz:
    return FE_TOWARDZERO;
  case Rounding::Rm:
    return FE_DOWNWARD;
  case Rounding::Rp:
    return FE_UPWARD;
  default:
    return FE_TONEAREST;
  }
}

/// Any rounding, by the host's rounding mode. The volatile operands keep the computation between the two changes of
/// mode.
template <Operation O, class T, unsigned Sources> void directed(Registers &r, const Op &op, Mask lanes) {
  using W = Word<T>;
  const Form &f = *op.form;
  const W *a = source<W>(r, op.a), *b = Sources >= 2 ? source<W>(r, op.b) : a,
          *c = Sources >= 3 ? source<W>(r, op.c) : a;
  const Mask poison = r.poison(op.a) | (Sources >= 2 ? r.poison(op.b) : 0) | (Sources >= 3 ? r.poison(op.c) : 0);
  Output<W> out(r, op.dst, lanes);
  const int before = std::fegetround();
  std::fesetround(hostRounding(f.rounding));
  for (unsigned l = 0; l < kLanes; ++l) {
    W words[3] = {a[l], b[l], c[l]};
    if constexpr (sizeof(T) == 4)
      if (f.ftz)
        for (W &w : words)
          w = flush(w);
    volatile T x = std::bit_cast<T>(words[0]), y = std::bit_cast<T>(words[1]), z = std::bit_cast<T>(words[2]);
    volatile T result = compute<O, T>(x, y, z);
    W bits = canonical(T(result));
    if constexpr (sizeof(T) == 4) {
      bits = f.ftz ? flush(bits) : bits;
      bits = f.sat ? saturated(bits) : bits;
    }
    out.words[l] = bits;
  }
  std::fesetround(before);
  out.finish();
  r.setPoison(op.dst, lanes, poison);
}

template <class F, class W, unsigned Sources> constexpr ScalarHandler mapped() {
  if constexpr (Sources == 1)
    return map1<F, W, W>;
  else if constexpr (Sources == 2)
    return map2<F, W, W, W>;
  else
    return map3<F, W, W, W, W>;
}

template <Operation O, unsigned Sources> ScalarHandler arithmetic(const Form &f) {
  const bool nearest = f.rounding == Rounding::None || f.rounding == Rounding::Rn;
  if (f.type() == Type::F64)
    return nearest ? mapped<Double<O>, uint64_t, Sources>() : directed<O, double, Sources>;
  if (!nearest)
    return directed<O, float, Sources>;
  if (f.sat)
    return f.ftz ? mapped<Single<O, true, true>, uint32_t, Sources>()
                 : mapped<Single<O, false, true>, uint32_t, Sources>();
  return f.ftz ? mapped<Single<O, true, false>, uint32_t, Sources>()
               : mapped<Single<O, false, false>, uint32_t, Sources>();
}

//===-- Halves -------------------------------------------------------------------------------------------------------

struct Half {
  static float toFloat(uint32_t a) { return f16ToFloat(a); }
  static uint32_t fromFloat(float a) { return floatToF16(a); }
  static uint32_t fromDouble(double a) { return doubleToF16(a); }
  static constexpr uint32_t kOne = 0x3c00, kExponent = 0x7c00;
};
struct Brain {
  static float toFloat(uint32_t a) { return bf16ToFloat(a); }
  static uint32_t fromFloat(float a) { return floatToBf16(a); }
  static uint32_t fromDouble(double a) { return doubleToBf16(a); }
  static constexpr uint32_t kOne = 0x3f80, kExponent = 0x7f80;
};

/// One rounding each. Sums of halves, and products of f16, survive a detour over f32 (24 bits are at least twice the
/// bits of a half plus two); products of bf16 may fall below the range of f32.
template <class H, Operation O> uint32_t halfOf(uint32_t a, uint32_t b, uint32_t c) {
  const float x = H::toFloat(a), y = H::toFloat(b);
  if constexpr (O == Operation::Add)
    return H::fromFloat(x + y);
  else if constexpr (O == Operation::Sub)
    return H::fromFloat(x - y);
  else if constexpr (O == Operation::Mul && std::is_same_v<H, Half>)
    return H::fromFloat(x * y);
  else if constexpr (O == Operation::Mul)
    return H::fromDouble(double(x) * y);
  else
    return H::fromDouble(addToOdd(double(x) * y, double(H::toFloat(c))));
}

/// Both halves of a word; a single half has zeros in the other, which stay out of the result.
template <class H, Operation O, bool Pair> struct Halves {
  static uint32_t apply(uint32_t a, uint32_t b, uint32_t c = 0) {
    const uint32_t low = halfOf<H, O>(a & 0xffff, b & 0xffff, c & 0xffff);
    if (!Pair)
      return low;
    return low | halfOf<H, O>(a >> 16, b >> 16, c >> 16) << 16;
  }
};

template <class H> uint32_t flushHalf(uint32_t a) { return a & H::kExponent ? a : a & 0x8000; }
/// With `.ftz`, `.sat` or `.relu`, which are rare.
template <class H, Operation O> struct HalvesWithModifiers {
  static uint32_t one(const Form &f, uint32_t a, uint32_t b, uint32_t c) {
    if (f.ftz)
      a = flushHalf<H>(a), b = flushHalf<H>(b), c = flushHalf<H>(c);
    uint32_t d = halfOf<H, O>(a, b, c);
    if (f.ftz)
      d = flushHalf<H>(d);
    const bool nan = (d & 0x7fff) > H::kExponent;
    if (f.sat)
      d = nan || d & 0x8000 ? 0 : std::min(d, H::kOne);
    if (f.relu && !nan && d & 0x8000)
      d = 0;
    return d;
  }
  static uint64_t apply(const Form &f, uint64_t a, uint64_t b, uint64_t c) {
    const uint32_t low = one(f, a & 0xffff, b & 0xffff, c & 0xffff);
    return bitWidth(f.type()) == 16 ? low : low | one(f, uint32_t(a >> 16), uint32_t(b >> 16), uint32_t(c >> 16)) << 16;
  }
};

template <class H, Operation O> ScalarHandler halves(const Form &f) {
  constexpr unsigned kSources = O == Operation::Fma ? 3 : 2;
  if (f.ftz || f.sat || f.relu)
    return mapSlow<HalvesWithModifiers<H, O>, kSources>;
  return bitWidth(f.type()) == 32 ? mapped<Halves<H, O, true>, uint32_t, kSources>()
                                  : mapped<Halves<H, O, false>, uint32_t, kSources>();
}

template <Operation O> ScalarHandler anyFloat(const Form &f) {
  switch (f.type()) {
  case Type::F16:
  case Type::F16x2:
    return halves<Half, O>(f);
  case Type::BF16:
  case Type::BF16x2:
    return halves<Brain, O>(f);
  default:
    return arithmetic < O, O == Operation::Fma ? 3 : 2 > (f);
  }
}

//===-- Minimum, maximum, sign ---------------------------------------------------------------------------------------

/// Bits as a number whose order is that of the floats, with -0 below +0.
template <class W, unsigned Bits> auto ordered(W bits) {
  if constexpr (Bits == 64)
    return int64_t(bits ^ ((uint64_t(int64_t(bits) >> 63)) >> 1));
  else {
    const int32_t wide = int32_t(uint32_t(bits) << (32 - Bits)) >> (32 - Bits);
    return wide ^ int32_t((uint32_t(wide >> 31)) >> (33 - Bits));
  }
}

template <class W, unsigned Bits, W Exponent, W Nan, bool Max, bool NaN> W extremum(W a, W b) {
  constexpr W kMagnitude = W(~(W(1) << (Bits - 1))) & (Bits == 64 ? ~W(0) : W((uint64_t(1) << Bits) - 1));
  const bool nanA = (a & kMagnitude) > Exponent, nanB = (b & kMagnitude) > Exponent;
  const bool less = ordered<W, Bits>(a) < ordered<W, Bits>(b);
  const W chosen = less == Max ? b : a;
  const W one = nanA ? b : nanB ? a : chosen;
  return (NaN ? nanA || nanB : nanA && nanB) ? Nan : one;
}
template <bool Ftz, bool Max, bool NaN> struct MinMax32 {
  static uint32_t apply(uint32_t a, uint32_t b) {
    if (Ftz)
      a = flush(a), b = flush(b);
    return extremum<uint32_t, 32, 0x7f800000u, kNan32, Max, NaN>(a, b);
  }
};
template <bool Max> struct MinMax64 {
  static uint64_t apply(uint64_t a, uint64_t b) {
    return extremum<uint64_t, 64, 0x7ff0000000000000u, kNan64, Max, false>(a, b);
  }
};
template <class H, bool Max, bool NaN, bool Pair> struct MinMax16 {
  static uint32_t apply(uint32_t a, uint32_t b) {
    const uint32_t low = extremum<uint32_t, 16, H::kExponent, kNan16, Max, NaN>(a & 0xffff, b & 0xffff);
    if (!Pair)
      return low;
    return low | extremum<uint32_t, 16, H::kExponent, kNan16, Max, NaN>(a >> 16, b >> 16) << 16;
  }
};

template <class H, bool Max> ScalarHandler minMax16(const Form &f) {
  using U = uint32_t;
  if (f.ftz)
    return nullptr;
  if (bitWidth(f.type()) == 32)
    return f.nan ? map2<MinMax16<H, Max, true, true>, U, U, U> : map2<MinMax16<H, Max, false, true>, U, U, U>;
  return f.nan ? map2<MinMax16<H, Max, true, false>, U, U, U> : map2<MinMax16<H, Max, false, false>, U, U, U>;
}
template <bool Max> ScalarHandler minMax(const Form &f) {
  using U = uint32_t;
  switch (f.type()) {
  case Type::F64:
    return map2<MinMax64<Max>, uint64_t, uint64_t, uint64_t>;
  case Type::F16:
  case Type::F16x2:
    return minMax16<Half, Max>(f);
  case Type::BF16:
  case Type::BF16x2:
    return minMax16<Brain, Max>(f);
  default:
    break;
  }
  if (f.nan)
    return f.ftz ? map2<MinMax32<true, Max, true>, U, U, U> : map2<MinMax32<false, Max, true>, U, U, U>;
  return f.ftz ? map2<MinMax32<true, Max, false>, U, U, U> : map2<MinMax32<false, Max, false>, U, U, U>;
}

/// Clears or flips sign bits.
template <class W, W Signs, bool Flip, bool Ftz> struct Sign {
  static W apply(W a) {
    if (Ftz)
      a = W(flush(uint32_t(a)));
    return Flip ? a ^ Signs : a & ~Signs;
  }
};
template <bool Flip> ScalarHandler sign(const Form &f) {
  using U = uint32_t;
  switch (f.type()) {
  case Type::F64:
    return map1<Sign<uint64_t, uint64_t(1) << 63, Flip, false>, uint64_t, uint64_t>;
  case Type::F16:
  case Type::BF16:
    return f.ftz ? nullptr : map1<Sign<U, 0x8000u, Flip, false>, U, U>;
  case Type::F16x2:
  case Type::BF16x2:
    return f.ftz ? nullptr : map1<Sign<U, 0x80008000u, Flip, false>, U, U>;
  default:
    return f.ftz ? map1<Sign<U, 0x80000000u, Flip, true>, U, U> : map1<Sign<U, 0x80000000u, Flip, false>, U, U>;
  }
}

/// d has the sign of a and the magnitude of b.
template <class W> struct CopySign {
  static constexpr W kSign = W(1) << (8 * sizeof(W) - 1);
  static W apply(W a, W b) { return (a & kSign) | (b & ~kSign); }
};

template <class W> void testpLanes(Registers &r, const Op &op, Mask lanes) {
  const W *a = source<W>(r, op.a);
  constexpr W kInfinity = sizeof(W) == 8 ? W(0x7ff0000000000000u) : W(0x7f800000u);
  constexpr W kMagnitude = W(~W(0)) >> 1, kFirstNormal = sizeof(W) == 8 ? W(1) << 52 % (8 * sizeof(W)) : W(1) << 23;
  Mask result = 0;
  for (unsigned l = 0; l < kLanes; ++l) {
    const W m = a[l] & kMagnitude;
    bool yes = false;
    switch (op.form->n) {
    case 1:
      yes = m < kInfinity;
      break;
    case 2:
      yes = m == kInfinity;
      break;
    case 3:
      yes = m <= kInfinity;
      break;
    case 4:
      yes = m > kInfinity;
      break;
    case 5:
      yes = m >= kFirstNormal && m < kInfinity;
      break;
    default:
      yes = m != 0 && m < kFirstNormal;
      break;
    }
    result |= yes ? Mask(1) << l : 0;
  }
  r.setPredicate(op.dst, lanes, result, r.poison(op.a));
}

//===-- Approximations -----------------------------------------------------------------------------------------------

enum class Special { Rcp, Sqrt, Rsqrt, Ex2, Lg2, Sin, Cos, Tanh, Div, DivFull };

template <Special S> double exact(double x, double y) {
  switch (S) {
  case Special::Rcp:
    return 1.0 / x;
  case Special::Sqrt:
    return std::sqrt(x);
  case Special::Rsqrt:
    return 1.0 / std::sqrt(x);
  case Special::Ex2:
    return std::exp2(x);
  case Special::Lg2:
    return std::log2(x);
  case Special::Sin:
    return std::sin(x);
  case Special::Cos:
    return std::cos(x);
  case Special::Tanh:
    return std::tanh(x);
  case Special::Div:
    // The hardware goes over the reciprocal of the divisor, which is flushed.
    return std::fabs(y) > 0x1p126 && std::isfinite(y)
               ? (std::isinf(x) ? NAN : std::copysign(0.0, x) * std::copysign(1.0, y))
               : x / y;
  default:
    return x / y;
  }
}

/// Half of what the documentation allows the result y of an argument x to be off by.
template <Special S> double halfBound(double x, double y) {
  const double ulp = std::ldexp(1.0, std::ilogb(y) - 23);
  switch (S) {
  case Special::Rcp:
    return 0.5 * ulp;
  case Special::Sqrt:
    return std::fabs(y) * 0x1p-24;
  case Special::Rsqrt:
    return std::fabs(y) * 0.5 * std::exp2(-22.4);
  case Special::Lg2:
    return x > 0.5 && x < 2.0 ? 0x1p-23 : std::fabs(y) * 0x1p-23;
  case Special::Sin:
  case Special::Cos:
    return 0.5 * std::exp2(-20.5);
  case Special::Tanh:
    return std::fabs(y) * 0x1p-12;
  default:
    return ulp; // two ulp are documented
  }
}

/// -1, 0 or 1 by the operation and its input alone.
double disturbance(Special s, uint32_t a, uint32_t b) {
  uint64_t h = (uint64_t(a) << 32 | b) + uint64_t(s) * 0x9e3779b97f4a7c15u;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return double(int(h % 3)) - 1.0;
}

template <Special S, bool Ftz, bool Worst> struct Approximate {
  static uint32_t apply(uint32_t a, uint32_t b = 0) {
    if (Ftz)
      a = flush(a), b = flush(b);
    const double x = asFloat(a), y = asFloat(b);
    double result = exact<S>(x, y);
    if (Worst && std::isfinite(float(result)) && result != 0 && !(S == Special::Ex2 && x == 0)) {
      result += disturbance(S, a, b) * halfBound<S>(x, result);
      if (S == Special::Tanh || S == Special::Sin || S == Special::Cos)
        result = std::clamp(result, -1.0, 1.0);
    }
    const uint32_t bits = canonical(float(result));
    return Ftz ? flush(bits) : bits;
  }
};

template <Special S, bool Ftz, bool Worst> constexpr ScalarHandler approximateHandler() {
  using U = uint32_t;
  if constexpr (S == Special::Div || S == Special::DivFull)
    return map2<Approximate<S, Ftz, Worst>, U, U, U>;
  else
    return map1<Approximate<S, Ftz, Worst>, U, U>;
}
/// 2^x for |x| <= 300, to 2^-45: the Taylor series of e^(t ln 2) for |t| <= 1/2.
inline double powerOfTwo(double x) {
  constexpr double kMagic = 0x1.8p52; // adding it rounds to an integer, which then stands in the low bits
  const double shifted = x + kMagic;
  const double t = (x - (shifted - kMagic)) * 0.69314718055994530942;
  // Written out: an inner loop would keep the loop over lanes from being vectorised.
  double sum = 1.0 + t * (1.0 / 12);
  sum = 1.0 + sum * t * (1.0 / 11);
  sum = 1.0 + sum * t * (1.0 / 10);
  sum = 1.0 + sum * t * (1.0 / 9);
  sum = 1.0 + sum * t * (1.0 / 8);
  sum = 1.0 + sum * t * (1.0 / 7);
  sum = 1.0 + sum * t * (1.0 / 6);
  sum = 1.0 + sum * t * (1.0 / 5);
  sum = 1.0 + sum * t * (1.0 / 4);
  sum = 1.0 + sum * t * (1.0 / 3);
  sum = 1.0 + sum * t * (1.0 / 2);
  sum = 1.0 + sum * t;
  return asDouble(asBits(sum) + (asBits(shifted) << 52));
}

/// ex2.approx.f32 in steps that each vectorise: most of what a softmax computes besides products.
template <bool Ftz> void ex2Lanes(Registers &r, const Op &op, Mask lanes) {
  Output<uint32_t> out(r, op.dst, lanes);
  const Mask poison = r.poison(op.a);
  const uint32_t *a = r.read(op.a);
  alignas(64) uint32_t nan[kLanes];
  alignas(64) double x[kLanes];
  alignas(64) float y[kLanes];
  uint32_t *d = out.words;
  ATTN_LANES
  for (unsigned l = 0; l < kLanes; ++l) {
    const uint32_t magnitude = a[l] & 0x7fffffffu;
    nan[l] = magnitude > 0x7f800000u ? ~0u : 0u;
    // Everything beyond 300 overflows or vanishes all the same.
    const uint32_t limited = std::min(magnitude, 0x43960000u) | (a[l] & 0x80000000u);
    x[l] = double(asFloat(Ftz ? flush(limited) : limited));
  }
  ATTN_LANES
  for (unsigned l = 0; l < kLanes; ++l)
    y[l] = float(powerOfTwo(x[l]));
  ATTN_LANES
  for (unsigned l = 0; l < kLanes; ++l) {
    const uint32_t bits = Ftz ? flush(asBits(y[l])) : asBits(y[l]);
    d[l] = (bits & ~nan[l]) | (kNan32 & nan[l]);
  }
  out.finish();
  r.setPoison(op.dst, lanes, poison);
}

template <Special S> ScalarHandler approximate(const Form &f) {
  if (f.worst)
    return f.ftz ? approximateHandler<S, true, true>() : approximateHandler<S, false, true>();
  return f.ftz ? approximateHandler<S, true, false>() : approximateHandler<S, false, false>();
}

/// ex2 and tanh of halves.
template <Special S> struct ApproximateHalf {
  static uint32_t one(const Form &f, uint32_t a) {
    const bool brain = f.type() == Type::BF16 || f.type() == Type::BF16x2;
    if (f.ftz)
      a = brain ? flushHalf<Brain>(a) : flushHalf<Half>(a);
    const double x = brain ? bf16ToFloat(a) : f16ToFloat(a);
    double y = exact<S>(x, 0);
    if (f.worst && std::isfinite(y) && y != 0 && x != 0) {
      const double relative = brain ? 0x1p-8 : 0.5 * std::exp2(-9.9),
                   absolute = brain ? 0x1p-9 : 0.5 * std::exp2(-10.987);
      y += disturbance(S, a, 0) * (S == Special::Ex2 ? std::fabs(y) * relative : absolute);
      y = S == Special::Tanh ? std::clamp(y, -1.0, 1.0) : y;
    }
    uint32_t bits = brain ? doubleToBf16(y) : doubleToF16(y);
    return f.ftz ? (brain ? flushHalf<Brain>(bits) : flushHalf<Half>(bits)) : bits;
  }
  static uint64_t apply(const Form &f, uint64_t a, uint64_t, uint64_t) {
    const uint32_t low = one(f, a & 0xffff);
    return bitWidth(f.type()) == 16 ? low : low | one(f, uint32_t(a >> 16)) << 16;
  }
};
/// 1/x or 1/sqrt(x) from and to the upper half of an f64, from where libraries start to iterate.
template <Special S> struct Coarse {
  static constexpr uint64_t kLower = 0xffffffffu;
  static uint64_t flush(uint64_t a) { return a >> 52 & 0x7ff ? a : a & uint64_t(1) << 63; }
  static uint64_t apply(uint64_t a) {
    const double x = asDouble(a);
    const uint64_t y = canonical(x == x ? exact<S>(asDouble(flush(a & ~kLower)), 0) : x);
    const bool finite = (y >> 52 & 0x7ff) != 0x7ff;
    return flush(finite ? y + (kLower / 2 + 1) : y) & ~kLower;
  }
};
template <Special S> ScalarHandler coarse() { return map1<Coarse<S>, uint64_t, uint64_t>; }

template <Special S> ScalarHandler approximateAny(const Form &f) {
  return f.type() == Type::F32 ? approximate<S>(f) : mapSlow<ApproximateHalf<S>, 1>;
}

} // namespace

namespace scalar::ATTN_SCALAR_ISA {

ScalarHandler floatAdd(const Form &f) { return anyFloat<Operation::Add>(f); }
ScalarHandler floatSub(const Form &f) { return anyFloat<Operation::Sub>(f); }
ScalarHandler floatMul(const Form &f) { return anyFloat<Operation::Mul>(f); }
ScalarHandler fma(const Form &f) { return anyFloat<Operation::Fma>(f); }
ScalarHandler floatDivide(const Form &f) {
  if (f.rounding == Rounding::Approx)
    return approximate<Special::Div>(f);
  return f.rounding == Rounding::Full ? approximate<Special::DivFull>(f) : arithmetic<Operation::Div, 2>(f);
}
ScalarHandler floatMinMax(const Form &f, bool max) { return max ? minMax<true>(f) : minMax<false>(f); }
ScalarHandler floatSign(const Form &f, bool flip) { return flip ? sign<true>(f) : sign<false>(f); }
ScalarHandler copysign(const Form &f) {
  return f.type() == Type::F64 ? map2<CopySign<uint64_t>, uint64_t, uint64_t, uint64_t>
                               : map2<CopySign<uint32_t>, uint32_t, uint32_t, uint32_t>;
}
ScalarHandler testp(const Form &f) { return f.type() == Type::F64 ? testpLanes<uint64_t> : testpLanes<uint32_t>; }
ScalarHandler reciprocal(const Form &f) {
  if (f.type() == Type::F64 && f.rounding == Rounding::Approx)
    return coarse<Special::Rcp>();
  return f.rounding == Rounding::Approx ? approximate<Special::Rcp>(f) : arithmetic<Operation::Rcp, 1>(f);
}
ScalarHandler squareRoot(const Form &f) {
  return f.rounding == Rounding::Approx ? approximate<Special::Sqrt>(f) : arithmetic<Operation::Sqrt, 1>(f);
}
ScalarHandler rsqrt(const Form &f) {
  return f.type() == Type::F64 ? coarse<Special::Rsqrt>() : approximate<Special::Rsqrt>(f);
}
ScalarHandler ex2(const Form &f) {
  if (f.type() == Type::F32 && !f.worst)
    return f.ftz ? ex2Lanes<true> : ex2Lanes<false>;
  return approximateAny<Special::Ex2>(f);
}
ScalarHandler lg2(const Form &f) { return approximate<Special::Lg2>(f); }
ScalarHandler sine(const Form &f) { return approximate<Special::Sin>(f); }
ScalarHandler cosine(const Form &f) { return approximate<Special::Cos>(f); }
ScalarHandler tanh(const Form &f) { return approximateAny<Special::Tanh>(f); }

} // namespace scalar::ATTN_SCALAR_ISA
} // namespace attn::sim
