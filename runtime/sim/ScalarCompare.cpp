// SPDX-License-Identifier: Apache-2.0
// Logic, compare, select and move instructions.
#include "runtime/sim/ScalarKernel.h"

namespace attn::sim {
namespace {

//===-- Logic --------------------------------------------------------------------------------------------------------

template <class W> Mask nonzero(const W *a) {
  Mask mask = 0;
  for (unsigned l = 0; l < kLanes; ++l)
    mask |= a[l] != 0 ? Mask(1) << l : 0;
  return mask;
}
/// A zero that is no poison decides the result, whatever the other side is.
template <class W> void andLanes(Registers &r, const Op &op, Mask lanes) {
  Output<W> out(r, op.dst, lanes);
  const W *a = source<W>(r, op.a), *b = source<W>(r, op.b);
  const Mask pa = r.poison(op.a), pb = r.poison(op.b);
  Mask poison = pa | pb;
  if (poison)
    poison &= (pa | nonzero(a)) & (pb | nonzero(b));
  W *d = out.words;
  ATTN_LANES
  for (unsigned l = 0; l < kLanes; ++l)
    d[l] = a[l] & b[l];
  out.finish();
  r.setPoison(op.dst, lanes, poison);
}
template <class T> struct Or {
  static Word<T> apply(Word<T> a, Word<T> b) { return a | b; }
};
template <class T> struct Xor {
  static Word<T> apply(Word<T> a, Word<T> b) { return a ^ b; }
};
template <class T> struct Not {
  static Word<T> apply(Word<T> a) { return stored<T>(~a); }
};
template <class T> struct Cnot {
  static Word<T> apply(Word<T> a) { return a == 0; }
};

Mask combine(BoolOp op, Mask t, Mask c) {
  return op == BoolOp::And ? t & c : op == BoolOp::Or ? t | c : op == BoolOp::Xor ? t ^ c : t;
}
/// Lanes in which a combination of two predicates means nothing.
Mask combinePoison(BoolOp op, Mask t, Mask pt, Mask c, Mask pc) {
  const Mask either = pt | pc;
  return op == BoolOp::And ? either & (pt | t) & (pc | c) : either;
}
template <BoolOp B> void predicateLanes(Registers &r, const Op &op, Mask lanes) {
  const Mask a = predicateOperand(r, op, op.a, 1), b = predicateOperand(r, op, op.b, 2);
  const Mask poison = combinePoison(B, a, r.predicatePoison(op.a), b, r.predicatePoison(op.b));
  r.setPredicate(op.dst, lanes, combine(B, a, b), poison);
}
template <bool Negate> void predicateCopy(Registers &r, const Op &op, Mask lanes) {
  const Mask a = predicateOperand(r, op, op.a, 1);
  r.setPredicate(op.dst, lanes, Negate ? ~a : a, r.predicatePoison(op.a));
}

//===-- Compare and select -------------------------------------------------------------------------------------------

struct Order {
  Mask less, equal, unordered;
};

template <class T> Order compareInt(const Registers &r, const Op &op) {
  const Word<T> *a = source<Word<T>>(r, op.a), *b = source<Word<T>>(r, op.b);
  Order o{};
  for (unsigned l = 0; l < kLanes; ++l) {
    o.less |= T(a[l]) < T(b[l]) ? Mask(1) << l : 0;
    o.equal |= T(a[l]) == T(b[l]) ? Mask(1) << l : 0;
  }
  return o;
}
template <class F, class W> Order compareFloat(const W *a, const W *b) {
  Order o{};
  for (unsigned l = 0; l < kLanes; ++l) {
    const auto x = F::number(a[l]), y = F::number(b[l]);
    o.less |= x < y ? Mask(1) << l : 0;
    o.equal |= x == y ? Mask(1) << l : 0;
    o.unordered |= x != x || y != y ? Mask(1) << l : 0;
  }
  return o;
}
struct Number32 {
  static float number(uint32_t a) { return asFloat(a); }
};
struct NumberFlushed {
  static float number(uint32_t a) { return asFloat(flush(a)); }
};
struct Number64 {
  static double number(uint64_t a) { return asDouble(a); }
};
struct NumberF16 {
  static float number(uint32_t a) { return f16ToFloat(a & 0xffff); }
};
struct NumberBF16 {
  static float number(uint32_t a) { return bf16ToFloat(a & 0xffff); }
};

Mask decide(const Order &o, Compare compare) {
  const Mask greater = ~(o.less | o.equal | o.unordered);
  switch (compare) {
  case Compare::Eq:
    return o.equal;
  case Compare::Ne:
    return o.less | greater;
  case Compare::Lt:
  case Compare::Lo:
    return o.less;
  case Compare::Le:
  case Compare::Ls:
    return o.less | o.equal;
  case Compare::Gt:
  case Compare::Hi:
    return greater;
  case Compare::Ge:
  case Compare::Hs:
    return greater | o.equal;
  case Compare::Equ:
    return o.equal | o.unordered;
  case Compare::Neu:
    return ~o.equal;
  case Compare::Ltu:
    return o.less | o.unordered;
  case Compare::Leu:
    return ~greater;
  case Compare::Gtu:
    return greater | o.unordered;
  case Compare::Geu:
    return ~o.less;
  case Compare::Num:
    return ~o.unordered;
  default:
    return o.unordered;
  }
}

/// The sources of a comparison, by type.
template <Type T> Order compareLanes(const Registers &r, const Op &op) {
  if constexpr (T == Type::S16)
    return compareInt<int16_t>(r, op);
  else if constexpr (T == Type::U16)
    return compareInt<uint16_t>(r, op);
  else if constexpr (T == Type::S32)
    return compareInt<int32_t>(r, op);
  else if constexpr (T == Type::U32)
    return compareInt<uint32_t>(r, op);
  else if constexpr (T == Type::S64)
    return compareInt<int64_t>(r, op);
  else if constexpr (T == Type::U64)
    return compareInt<uint64_t>(r, op);
  else if constexpr (T == Type::F64)
    return compareFloat<Number64>(r.read64(op.a), r.read64(op.b));
  else if constexpr (T == Type::F16)
    return compareFloat<NumberF16>(r.read(op.a), r.read(op.b));
  else if constexpr (T == Type::BF16)
    return compareFloat<NumberBF16>(r.read(op.a), r.read(op.b));
  else if (op.form->ftz)
    return compareFloat<NumberFlushed>(r.read(op.a), r.read(op.b));
  else
    return compareFloat<Number32>(r.read(op.a), r.read(op.b));
}

template <Type T> void setpLanes(Registers &r, const Op &op, Mask lanes) {
  const Mask t = decide(compareLanes<T>(r, op), op.form->compare);
  const Mask pt = r.poison(op.a) | r.poison(op.b);
  const BoolOp bool_ = op.form->boolOp;
  const bool second = op.present & 32;
  Mask c = 0, pc = 0;
  if (bool_ != BoolOp::None) {
    c = predicateOperand(r, op, op.c, 4);
    pc = r.predicatePoison(op.c);
  }
  // All is read before the first destination, which may be `c`, is written.
  const Mask q = combine(bool_, ~t, c), pq = combinePoison(bool_, ~t, pt, c, pc);
  r.setPredicate(op.dst, lanes, combine(bool_, t, c), combinePoison(bool_, t, pt, c, pc));
  if (second)
    r.setPredicate(op.dst2, lanes, q, pq);
}

/// What `set` gives for true: 1 of a float type, else all ones.
uint32_t truth(Type type) {
  switch (type) {
  case Type::F32:
    return 0x3f800000u;
  case Type::F16:
  case Type::F16x2:
    return 0x3c00u;
  case Type::BF16:
  case Type::BF16x2:
    return 0x3f80u;
  case Type::U16:
  case Type::S16:
    return 0xffffu;
  default:
    return ~0u;
  }
}

template <Type T> void setLanes(Registers &r, const Op &op, Mask lanes) {
  Mask t = decide(compareLanes<T>(r, op), op.form->compare), poison = r.poison(op.a) | r.poison(op.b);
  if (const BoolOp bool_ = op.form->boolOp; bool_ != BoolOp::None) {
    const Mask c = predicateOperand(r, op, op.c, 4);
    poison = combinePoison(bool_, t, poison, c, r.predicatePoison(op.c));
    t = combine(bool_, t, c);
  }
  const uint32_t yes = truth(op.form->type());
  Output<uint32_t> out(r, op.dst, lanes);
  for (unsigned l = 0; l < kLanes; ++l)
    out.words[l] = t >> l & 1 ? yes : 0;
  out.finish();
  r.setPoison(op.dst, lanes, poison);
}

/// Each half by itself; a predicate holds for both.
template <class Number> void setPairLanes(Registers &r, const Op &op, Mask lanes) {
  const uint32_t *a = r.read(op.a), *b = r.read(op.b);
  const BoolOp bool_ = op.form->boolOp;
  Mask c = 0, poison = r.poison(op.a) | r.poison(op.b);
  if (bool_ != BoolOp::None) {
    c = predicateOperand(r, op, op.c, 4);
    poison |= r.predicatePoison(op.c);
  }
  Mask holds[2];
  for (unsigned i = 0; i < 2; ++i) {
    uint32_t x[kLanes], y[kLanes];
    for (unsigned l = 0; l < kLanes; ++l) {
      x[l] = a[l] >> (16 * i);
      y[l] = b[l] >> (16 * i);
    }
    holds[i] = combine(bool_, decide(compareFloat<Number>(x, y), op.form->compare), c);
  }
  const uint32_t yes = truth(op.form->type());
  Output<uint32_t> out(r, op.dst, lanes);
  for (unsigned l = 0; l < kLanes; ++l)
    out.words[l] = (holds[0] >> l & 1 ? yes : 0) | (holds[1] >> l & 1 ? yes << 16 : 0);
  out.finish();
  r.setPoison(op.dst, lanes, poison);
}

#define ATTN_CHOOSE_COMPARE(TYPE, F)                                                                                   \
  switch (TYPE) {                                                                                                      \
  case Type::S16:                                                                                                      \
    return F<Type::S16>;                                                                                               \
  case Type::B16:                                                                                                      \
  case Type::U16:                                                                                                      \
    return F<Type::U16>;                                                                                               \
  case Type::S32:                                                                                                      \
    return F<Type::S32>;                                                                                               \
  case Type::B32:                                                                                                      \
  case Type::U32:                                                                                                      \
    return F<Type::U32>;                                                                                               \
  case Type::S64:                                                                                                      \
    return F<Type::S64>;                                                                                               \
  case Type::B64:                                                                                                      \
  case Type::U64:                                                                                                      \
    return F<Type::U64>;                                                                                               \
  case Type::F16:                                                                                                      \
    return F<Type::F16>;                                                                                               \
  case Type::BF16:                                                                                                     \
    return F<Type::BF16>;                                                                                              \
  case Type::F32:                                                                                                      \
    return F<Type::F32>;                                                                                               \
  case Type::F64:                                                                                                      \
    return F<Type::F64>;                                                                                               \
  default:                                                                                                             \
    return nullptr;                                                                                                    \
  }

/// `.lo .ls .hi .hs` are for unsigned numbers, `.equ` and its kin for floats, bits know equality only.
bool comparable(const Form &f, Type type) {
  const Compare c = f.compare;
  if (f.ftz && type != Type::F32)
    return false;
  if (isFloat(type))
    return c < Compare::Lo || c > Compare::Hs;
  if (c > Compare::Hs || (isUntyped(type) && c > Compare::Ne))
    return false;
  return c < Compare::Lo || !isSigned(type);
}

template <class W> void selpLanes(Registers &r, const Op &op, Mask lanes) {
  Output<W> out(r, op.dst, lanes);
  const W *a = source<W>(r, op.a), *b = source<W>(r, op.b);
  const Mask c = predicateOperand(r, op, op.c, 4);
  const Mask poison = (c & r.poison(op.a)) | (~c & r.poison(op.b)) | r.predicatePoison(op.c);
  W *d = out.words;
  ATTN_LANES
  for (unsigned l = 0; l < kLanes; ++l)
    d[l] = c & (Mask(1) << l) ? a[l] : b[l];
  out.finish();
  r.setPoison(op.dst, lanes, poison);
}

//===-- Move ---------------------------------------------------------------------------------------------------------

template <class T> struct Copy {
  static Word<T> apply(Word<T> a) { return a; }
};

/// Two registers to one of twice their width, by far the most frequent packing.
template <class D> struct PackTwo {
  static constexpr unsigned kBits = 4 * sizeof(D);
  static D apply(uint32_t a, uint32_t b) { return D(b) << kBits | a; }
};

/// Two words to one of twice their width; each half keeps its own poison.
void packWords(Registers &r, const Op &op, Mask lanes) {
  const Mask lower = r.poison(op.a), upper = r.poison(op.b);
  map2<PackTwo<uint64_t>, uint64_t, uint32_t, uint32_t>(r, op, lanes);
  if (lower | upper) [[unlikely]]
    r.setDefinedHalves(op.dst, lanes, ~lower, ~upper);
}

void packFour(Registers &r, const Op &op, Mask lanes) {
  const Row rows[4] = {op.a, op.b, op.c, op.e};
  Output<uint64_t> out(r, op.dst, lanes);
  Mask poison = 0;
  for (Row row : rows)
    poison |= r.poison(row);
  for (unsigned l = 0; l < kLanes; ++l) {
    out.words[l] = 0;
    for (unsigned i = 0; i < 4; ++i)
      out.words[l] |= uint64_t(r.read(rows[i])[l]) << (16 * i);
  }
  out.finish();
  r.setPoison(op.dst, lanes, poison);
}

/// One register of type S to `Count` parts.
template <class S, unsigned Count> void unpackLanes(Registers &r, const Op &op, Mask lanes) {
  constexpr unsigned kBits = 8 * sizeof(S) / Count;
  constexpr uint32_t kMask = kBits == 32 ? ~0u : (1u << (kBits & 31)) - 1;
  const Row rows[4] = {op.dst, op.dst2, op.b, op.c};
  Mask poison[Count];
  for (unsigned i = 0; i < Count; ++i)
    poison[i] = sizeof(S) == 8 ? r.halfPoison(op.a, 2 * i / Count) : r.poison(op.a);
  // A copy, because the source may be among the destinations.
  S value[kLanes];
  std::copy_n(source<S>(r, op.a), kLanes, value);
  for (unsigned i = 0; i < Count; ++i) {
    Output<uint32_t> out(r, rows[i], lanes);
    uint32_t *d = out.words;
    ATTN_LANES
    for (unsigned l = 0; l < kLanes; ++l)
      d[l] = uint32_t(value[l] >> (kBits * i)) & kMask;
    out.finish();
    r.setPoison(rows[i], lanes, poison[i]);
  }
}

} // namespace

namespace scalar::ATTN_SCALAR_ISA {

ScalarHandler bitAnd(const Form &f) { return f.type() == Type::B64 ? andLanes<uint64_t> : andLanes<uint32_t>; }
ScalarHandler bitOr(const Form &f) { return binaryByWidth<Or>(f.type()); }
ScalarHandler bitXor(const Form &f) { return binaryByWidth<Xor>(f.type()); }
ScalarHandler bitNot(const Form &f) { return unaryByWidth<Not>(f.type()); }
ScalarHandler cnot(const Form &f) { return unaryByWidth<Cnot>(f.type()); }
ScalarHandler predicateAnd(const Form &) { return predicateLanes<BoolOp::And>; }
ScalarHandler predicateOr(const Form &) { return predicateLanes<BoolOp::Or>; }
ScalarHandler predicateXor(const Form &) { return predicateLanes<BoolOp::Xor>; }
ScalarHandler predicateNot(const Form &) { return predicateCopy<true>; }
ScalarHandler predicateMov(const Form &) { return predicateCopy<false>; }

ScalarHandler setp(const Form &f) {
  if (!comparable(f, f.types[0]))
    return nullptr;
  ATTN_CHOOSE_COMPARE(f.types[0], setpLanes)
}
ScalarHandler set(const Form &f) {
  if (const Type type = f.types[1]; type == Type::F16x2 || type == Type::BF16x2) {
    if (!comparable(f, type))
      return nullptr;
    return type == Type::F16x2 ? setPairLanes<NumberF16> : setPairLanes<NumberBF16>;
  }
  const bool half = f.types[1] == Type::F16 || f.types[1] == Type::BF16;
  if (!comparable(f, f.types[1]) || (!half && (f.type() == Type::U16 || f.type() == Type::S16)))
    return nullptr;
  ATTN_CHOOSE_COMPARE(f.types[1], setLanes)
}
ScalarHandler selp(const Form &f) { return bitWidth(f.type()) == 64 ? selpLanes<uint64_t> : selpLanes<uint32_t>; }
ScalarHandler mov(const Form &f) {
  return bitWidth(f.type()) == 64 ? unary<Copy, uint64_t>() : unary<Copy, uint32_t>();
}
ScalarHandler pack(const Form &f) {
  if (f.vector == 4)
    return packFour;
  return bitWidth(f.type()) == 64 ? packWords : map2<PackTwo<uint32_t>, uint32_t, uint32_t, uint32_t>;
}
ScalarHandler unpack(const Form &f) {
  if (f.vector == 4)
    return unpackLanes<uint64_t, 4>;
  return bitWidth(f.type()) == 64 ? unpackLanes<uint64_t, 2> : unpackLanes<uint32_t, 2>;
}

} // namespace scalar::ATTN_SCALAR_ISA
} // namespace attn::sim
