// SPDX-License-Identifier: Apache-2.0
// Loops over the lanes of a warp, shared by the scalar handlers. Everything has internal linkage, because the files
// that include this are compiled for two instruction sets.
#pragma once

#include "runtime/sim/Bits.h"
#include "runtime/sim/Scalar.h"

#include <type_traits>

#ifndef ATTN_SCALAR_ISA
#define ATTN_SCALAR_ISA baseline
#endif

// Source and destination rows are the same or apart, never shifted, so lanes are independent.
#if defined(__clang__)
#define ATTN_LANES _Pragma("clang loop vectorize(assume_safety)")
#else
#define ATTN_LANES _Pragma("GCC ivdep")
#endif

namespace attn::sim {
namespace {

/// What a value of C++ type T is stored in: a word of a 32-bit row, or of a pair of rows.
template <class T> using Word = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

/// A result as it is stored: 16-bit values are zero-extended.
template <class T> Word<T> stored(Word<T> value) { return Word<T>(std::make_unsigned_t<T>(value)); }

template <class W> const W *source(const Registers &r, Row row) {
  if constexpr (sizeof(W) == 8)
    return r.read64(row);
  else
    return r.read(row);
}
template <class W> W *target(Registers &r, Row row) {
  if constexpr (sizeof(W) == 8)
    return r.write64(row);
  else
    return r.write(row);
}

template <class W> void blend(W *d, const W *v, Mask lanes) {
  for (unsigned l = 0; l < kLanes; ++l)
    d[l] = lanes >> l & 1 ? v[l] : d[l];
}

/// Where a handler writes: straight into the row when all lanes run, else into a buffer that finish() blends in.
template <class W> struct Output {
  Output(Registers &r, Row row, Mask lanes)
      : row(target<W>(r, row)), words(lanes == kAllLanes ? this->row : buffer), lanes(lanes) {}
  void finish() {
    if (words == buffer)
      blend(row, buffer, lanes);
  }
  W *row, *words;
  Mask lanes;
  alignas(64) W buffer[kLanes];
};

template <class F, class D, class A> void map1(Registers &r, const Op &op, Mask lanes) {
  Output<D> out(r, op.dst, lanes);
  const A *a = source<A>(r, op.a);
  const Mask poison = r.poison(op.a);
  D *d = out.words;
  ATTN_LANES
  for (unsigned l = 0; l < kLanes; ++l)
    d[l] = F::apply(a[l]);
  out.finish();
  r.setPoison(op.dst, lanes, poison);
}

template <class F, class D, class A, class B> void map2(Registers &r, const Op &op, Mask lanes) {
  Output<D> out(r, op.dst, lanes);
  const A *a = source<A>(r, op.a);
  const B *b = source<B>(r, op.b);
  const Mask poison = r.poison(op.a) | r.poison(op.b);
  D *d = out.words;
  ATTN_LANES
  for (unsigned l = 0; l < kLanes; ++l)
    d[l] = F::apply(a[l], b[l]);
  out.finish();
  r.setPoison(op.dst, lanes, poison);
}

template <class F, class D, class A, class B, class C> void map3(Registers &r, const Op &op, Mask lanes) {
  Output<D> out(r, op.dst, lanes);
  const A *a = source<A>(r, op.a);
  const B *b = source<B>(r, op.b);
  const C *c = source<C>(r, op.c);
  const Mask poison = r.poison(op.a) | r.poison(op.b) | r.poison(op.c);
  D *d = out.words;
  ATTN_LANES
  for (unsigned l = 0; l < kLanes; ++l)
    d[l] = F::apply(a[l], b[l], c[l]);
  out.finish();
  r.setPoison(op.dst, lanes, poison);
}

/// A handler of one 64-bit source whose result depends on one half of it alone, where `decides` says so.
template <ScalarHandler Base, unsigned Half, class Decides> void fromHalf(Registers &r, const Op &op, Mask lanes) {
  const Mask all = r.poison(op.a);
  if (!all) [[likely]]
    return Base(r, op, lanes);
  // Before the result, which may replace the source.
  const Mask alone = Decides::lanes(r, op);
  const Mask poison = (all & ~alone) | (r.halfPoison(op.a, Half) & alone) | Decides::poison(r, op);
  Base(r, op, lanes);
  r.setPoison(op.dst, lanes, poison);
}
/// Always.
struct Always {
  static Mask lanes(const Registers &, const Op &) { return kAllLanes; }
  static Mask poison(const Registers &, const Op &) { return 0; }
};

/// Like map1..3, for functions that look at the form: slower, for what is rare. F::apply(form, a, b, c) of raw values;
/// the widths are those of the registers.
template <class F, unsigned Sources> void mapSlow(Registers &r, const Op &op, Mask lanes) {
  const Form &form = *op.form;
  const bool wideSource = op.srcBits == 64, wide = op.dstBits == 64;
  Mask poison = r.poison(op.a);
  if constexpr (Sources >= 2)
    poison |= r.poison(op.b);
  if constexpr (Sources >= 3)
    poison |= r.poison(op.c);
  for (Mask rest = lanes; rest; rest &= rest - 1) {
    const unsigned l = unsigned(std::countr_zero(rest));
    uint64_t v[3] = {r.value(op.a, wideSource, l), 0, 0};
    if constexpr (Sources >= 2)
      v[1] = r.value(op.b, wideSource, l);
    if constexpr (Sources >= 3)
      v[2] = r.value(op.c, wideSource, l);
    r.setValue(op.dst, wide, l, F::apply(form, v[0], v[1], v[2]));
  }
  r.setPoison(op.dst, lanes, poison);
}

/// The value of a predicate source, with its `!`.
inline Mask predicateOperand(const Registers &r, const Op &op, Predicate p, uint8_t bit) {
  const Mask value = r.predicate(p);
  return op.negated & bit ? ~value : value;
}

// Choice by type. F is a template over the C++ type of the operands.
#define ATTN_CHOOSE_INT(TYPE, CASE)                                                                                    \
  switch (TYPE) {                                                                                                      \
  case Type::S16:                                                                                                      \
    return CASE(int16_t);                                                                                              \
  case Type::U16:                                                                                                      \
    return CASE(uint16_t);                                                                                             \
  case Type::S32:                                                                                                      \
    return CASE(int32_t);                                                                                              \
  case Type::U32:                                                                                                      \
    return CASE(uint32_t);                                                                                             \
  case Type::S64:                                                                                                      \
    return CASE(int64_t);                                                                                              \
  case Type::U64:                                                                                                      \
    return CASE(uint64_t);                                                                                             \
  default:                                                                                                             \
    return nullptr;                                                                                                    \
  }

/// Functions that do not care for the sign exist for the widths only.
#define ATTN_CHOOSE_WIDTH(TYPE, CASE)                                                                                  \
  switch (bitWidth(TYPE)) {                                                                                            \
  case 16:                                                                                                             \
    return CASE(uint16_t);                                                                                             \
  case 32:                                                                                                             \
    return CASE(uint32_t);                                                                                             \
  case 64:                                                                                                             \
    return CASE(uint64_t);                                                                                             \
  default:                                                                                                             \
    return nullptr;                                                                                                    \
  }

template <template <class> class F, class T> constexpr ScalarHandler unary() { return map1<F<T>, Word<T>, Word<T>>; }
template <template <class> class F, class T> constexpr ScalarHandler binary() {
  return map2<F<T>, Word<T>, Word<T>, Word<T>>;
}
template <template <class> class F, class T> constexpr ScalarHandler ternary() {
  return map3<F<T>, Word<T>, Word<T>, Word<T>, Word<T>>;
}
template <template <class> class F> ScalarHandler unaryByType(Type type) {
#define ATTN_CASE(T) unary<F, T>()
  ATTN_CHOOSE_INT(type, ATTN_CASE)
#undef ATTN_CASE
}
template <template <class> class F> ScalarHandler binaryByType(Type type) {
#define ATTN_CASE(T) binary<F, T>()
  ATTN_CHOOSE_INT(type, ATTN_CASE)
#undef ATTN_CASE
}
template <template <class> class F> ScalarHandler ternaryByType(Type type) {
#define ATTN_CASE(T) ternary<F, T>()
  ATTN_CHOOSE_INT(type, ATTN_CASE)
#undef ATTN_CASE
}
template <template <class> class F> ScalarHandler unaryByWidth(Type type) {
#define ATTN_CASE(T) unary<F, T>()
  ATTN_CHOOSE_WIDTH(type, ATTN_CASE)
#undef ATTN_CASE
}
template <template <class> class F> ScalarHandler binaryByWidth(Type type) {
#define ATTN_CASE(T) binary<F, T>()
  ATTN_CHOOSE_WIDTH(type, ATTN_CASE)
#undef ATTN_CASE
}
template <template <class> class F> ScalarHandler ternaryByWidth(Type type) {
#define ATTN_CASE(T) ternary<F, T>()
  ATTN_CHOOSE_WIDTH(type, ATTN_CASE)
#undef ATTN_CASE
}

} // namespace
} // namespace attn::sim
