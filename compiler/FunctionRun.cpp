// SPDX-License-Identifier: Apache-2.0
// Runs the code of score and mask functions; knows no IR.
#include "compiler/FunctionEvaluator.h"

#include <bit>
#include <cmath>
#include <limits>

namespace attn {
namespace {

/// The larger one; NaN when either is, and +0 above -0.
template <typename T> T maximum(T x, T y) {
  if (std::isnan(x) || std::isnan(y))
    return std::numeric_limits<T>::quiet_NaN();
  if (x == y)
    return std::signbit(x) ? y : x;
  return x > y ? x : y;
}

// The one quotient that does not fit, the least integer by -1, wraps.
int64_t negated(int64_t x) { return static_cast<int64_t>(-static_cast<uint64_t>(x)); }
int64_t quotient(int64_t x, int64_t y) { return y == -1 ? negated(x) : x / y; }
int64_t rest(int64_t x, int64_t y) { return y == -1 ? 0 : x % y; }

int64_t signExtended(uint64_t bits, unsigned width) {
  return static_cast<int64_t>(bits << (64 - width)) >> (64 - width);
}
uint64_t zeroExtended(int64_t value, unsigned width) {
  return width == 64 ? static_cast<uint64_t>(value) : static_cast<uint64_t>(value) & ((uint64_t(1) << width) - 1);
}

/// The float of a type nearest to an exact value (by way of f32 for the two small types).
double narrowed(double value, DType type) {
  return type == DType::F64 ? value : roundedTo(type, static_cast<float>(value));
}

/// Evaluates a formula in the type that the mode gives an operation, and brings the result into the operation's type.
template <Arithmetic A, typename Formula>
double computeReal(DType type, double x, double y, double z, Formula formula) {
  if (A == Arithmetic::Exact || type == DType::F64)
    return formula(x, y, z);
  return roundedTo(type, formula(static_cast<float>(x), static_cast<float>(y), static_cast<float>(z)));
}

/// Toward zero, clamped to what the type holds, NaN to 0: what the target's conversion does.
int64_t toSigned(double value, unsigned width) {
  double limit = std::ldexp(1.0, static_cast<int>(width) - 1);
  if (std::isnan(value))
    return 0;
  if (value >= limit)
    return static_cast<int64_t>(zeroExtended(-1, width) >> 1);
  if (value < -limit)
    return signExtended(uint64_t(1) << (width - 1), width);
  return static_cast<int64_t>(value);
}
uint64_t toUnsigned(double value, unsigned width) {
  if (!(value > 0))
    return 0;
  return value >= std::ldexp(1.0, static_cast<int>(width)) ? zeroExtended(-1, width) : static_cast<uint64_t>(value);
}

int64_t toBits(double value, DType type) {
  switch (type) {
  case DType::F16:
    return signExtended(toF16(static_cast<float>(value)), 16);
  case DType::BF16:
    return signExtended(toBF16(static_cast<float>(value)), 16);
  case DType::F32:
    return std::bit_cast<int32_t>(static_cast<float>(value));
  default:
    return std::bit_cast<int64_t>(value);
  }
}
double fromBits(int64_t bits, DType type) {
  switch (type) {
  case DType::F16:
    return fromF16(static_cast<uint16_t>(bits));
  case DType::BF16:
    return fromBF16(static_cast<uint16_t>(bits));
  case DType::F32:
    return std::bit_cast<float>(static_cast<uint32_t>(bits));
  default:
    return std::bit_cast<double>(bits);
  }
}

bool compareIntegers(uint8_t predicate, int64_t x, int64_t y, unsigned width) {
  uint64_t ux = zeroExtended(x, width), uy = zeroExtended(y, width);
  switch (predicate) { // eq ne slt sle sgt sge ult ule ugt uge
  case 0:
    return x == y;
  case 1:
    return x != y;
  case 2:
    return x < y;
  case 3:
    return x <= y;
  case 4:
    return x > y;
  case 5:
    return x >= y;
  case 6:
    return ux < uy;
  case 7:
    return ux <= uy;
  case 8:
    return ux > uy;
  default:
    return ux >= uy;
  }
}

/// In order: false oeq ogt oge olt ole one ord ueq ugt uge ult ule une uno true.
bool compareReals(uint8_t predicate, double x, double y) {
  bool unordered = std::isnan(x) || std::isnan(y);
  switch (predicate) {
  case 7:
    return !unordered;
  case 14:
    return unordered;
  case 15:
    return true;
  }
  if (unordered)
    return predicate >= 8;
  // What is left is a set of relations: bit 0 is "equal", bit 1 "greater", bit 2 "less".
  int relation = predicate >= 8 ? predicate - 7 : predicate;
  return ((relation & 1) && x == y) || ((relation & 2) && x > y) || ((relation & 4) && x < y);
}

/// x to a whole power; a negative power of an integer is 0 but for 1 and -1.
int64_t integerPower(int64_t x, int64_t power) {
  if (power < 0)
    return x == 1 ? 1 : x == -1 ? (power % 2 ? -1 : 1) : 0;
  uint64_t value = 1, square = static_cast<uint64_t>(x);
  for (auto left = static_cast<uint64_t>(power); left; left >>= 1, square *= square)
    if (left & 1)
      value *= square;
  return static_cast<int64_t>(value);
}

} // namespace

bool FunctionProgram::load(const FunctionInstruction &instruction, Slot *frame, FunctionFailure &failure) const {
  const HostTensor &tensor = tensors[instruction.a].tensor;
  const uint32_t *first = indices.data() + instruction.b;
  int64_t offset = 0;
  bool inside = true;
  for (uint32_t d = 0; d < instruction.c; ++d) {
    int64_t at = frame[first[d]].i;
    inside &= at >= 0 && at < tensor.shape[d];
    offset += inside ? at * tensor.strides[d] : 0;
  }
  if (!inside) {
    failure.index.clear();
    for (uint32_t d = 0; d < instruction.c; ++d)
      failure.index.push_back(frame[first[d]].i);
    return false;
  }
  if (isFloat(tensor.type))
    frame[instruction.to].f = loadReal(tensor, offset);
  else
    frame[instruction.to].i = loadInteger(tensor, offset);
  return true;
}

bool FunctionProgram::member(const FunctionInstruction &instruction, Slot *frame, FunctionFailure &failure) const {
  const uint32_t *first = indices.data() + instruction.b;
  std::vector<int64_t> &row = failure.index;
  row.clear();
  for (uint32_t d = 1; d <= instruction.c; ++d)
    row.push_back(frame[first[d]].i);
  const ListSets &list = lists[instruction.a];
  if (list.lacking(row))
    return false;
  frame[instruction.to].i = list.contains(row, frame[first[0]].i) ? -1 : 0;
  return true;
}

// The operations that are listed, as cases of a switch: operands are a, b and, where there is a third, frame[in.c].
#define ATTN_REAL(code, name, operands, expression)                                                                    \
  case Opcode::code:                                                                                                   \
    to.f =                                                                                                             \
        computeReal<A>(in.real, a.f, operands > 1 ? b.f : 0, operands > 2 ? frame[in.c].f : 0,                         \
                       []<typename T>(T x, [[maybe_unused]] T y, [[maybe_unused]] T z) -> T { return expression; });   \
    return true;
#define ATTN_TEST(code, name, expression)                                                                              \
  case Opcode::code: {                                                                                                 \
    double x = a.f;                                                                                                    \
    to.i = (expression) ? -1 : 0;                                                                                      \
    return true;                                                                                                       \
  }
#define ATTN_SIGNED(code, name, operands, expression)                                                                  \
  case Opcode::code: {                                                                                                 \
    const int64_t x = a.i;                                                                                             \
    [[maybe_unused]] const int64_t y = operands > 1 ? b.i : 0;                                                         \
    [[maybe_unused]] const uint64_t width = in.width;                                                                  \
    to.i = signExtended(static_cast<uint64_t>(expression), in.width);                                                  \
    return true;                                                                                                       \
  }
#define ATTN_UNSIGNED(code, name, operands, expression)                                                                \
  case Opcode::code: {                                                                                                 \
    const uint64_t x = zeroExtended(a.i, in.width);                                                                    \
    [[maybe_unused]] const uint64_t y = operands > 1 ? zeroExtended(b.i, in.width) : 0;                                \
    [[maybe_unused]] const uint64_t width = in.width;                                                                  \
    to.i = signExtended(expression, in.width);                                                                         \
    return true;                                                                                                       \
  }
#define ATTN_DIVIDE(code, name, expression)                                                                            \
  case Opcode::code: {                                                                                                 \
    const int64_t x = a.i, y = b.i;                                                                                    \
    if (y == 0)                                                                                                        \
      return false;                                                                                                    \
    to.i = signExtended(static_cast<uint64_t>(expression), in.width);                                                  \
    return true;                                                                                                       \
  }
#define ATTN_UDIVIDE(code, name, expression)                                                                           \
  case Opcode::code: {                                                                                                 \
    const uint64_t x = zeroExtended(a.i, in.width), y = zeroExtended(b.i, in.width);                                   \
    if (y == 0)                                                                                                        \
      return false;                                                                                                    \
    to.i = signExtended(expression, in.width);                                                                         \
    return true;                                                                                                       \
  }

/// Conversions between types; false for what is none.
template <Arithmetic A> static bool convert(const FunctionInstruction &in, Slot a, Slot &to) {
  auto real = [&](auto x) {
    return A == Arithmetic::Exact || in.real == DType::F64 ? static_cast<double>(x)
                                                           : roundedTo(in.real, static_cast<float>(x));
  };
  switch (in.code) {
  case Opcode::SignExtend:
    to.i = signExtended(static_cast<uint64_t>(a.i), in.width);
    return true;
  case Opcode::ZeroExtend:
    to.i = signExtended(zeroExtended(a.i, in.fromWidth), in.width);
    return true;
  case Opcode::ExtF:
    to.f = a.f;
    return true;
  case Opcode::TruncF:
    to.f = A == Arithmetic::Exact && in.real == DType::F32 ? a.f : narrowed(a.f, in.real);
    return true;
  case Opcode::SIToFP:
    to.f = real(a.i);
    return true;
  case Opcode::UIToFP:
    to.f = real(zeroExtended(a.i, in.fromWidth));
    return true;
  case Opcode::FPToSI:
    to.i = toSigned(a.f, in.width);
    return true;
  case Opcode::FPToUI:
    to.i = signExtended(toUnsigned(a.f, in.width), in.width);
    return true;
  case Opcode::RealToBits:
    to.i = toBits(a.f, in.real);
    return true;
  case Opcode::BitsToReal:
    to.f = fromBits(a.i, in.real);
    return true;
  default:
    return false;
  }
}

/// The upper half of the product of two numbers of one width, with or without sign.
template <typename Wide> static int64_t upperHalf(Wide a, Wide b, unsigned width) {
  return signExtended(static_cast<uint64_t>((a * b) >> width), width);
}

/// What takes two operands and is neither listed nor a conversion; false where it has no result.
template <Arithmetic A> static bool combine(const FunctionInstruction &in, Slot a, Slot b, Slot &to) {
  switch (in.code) {
  case Opcode::CmpI:
    to.i = compareIntegers(in.predicate, a.i, b.i, in.fromWidth) ? -1 : 0;
    return true;
  case Opcode::CmpF:
    to.i = compareReals(in.predicate, a.f, b.f) ? -1 : 0;
    return true;
  case Opcode::MulHighSigned:
    to.i = upperHalf<__int128>(a.i, b.i, in.width);
    return true;
  case Opcode::MulHighUnsigned:
    to.i = upperHalf<unsigned __int128>(zeroExtended(a.i, in.width), zeroExtended(b.i, in.width), in.width);
    return true;
  case Opcode::Carry: {
    uint64_t x = zeroExtended(a.i, in.fromWidth), y = zeroExtended(b.i, in.fromWidth);
    to.i = y > zeroExtended(-1, in.fromWidth) - x ? -1 : 0;
    return true;
  }
  case Opcode::FPowI: {
    auto power = static_cast<double>(b.i);
    to.f = computeReal<A>(in.real, a.f, power, 0, []<typename T>(T x, T y, T) -> T { return std::pow(x, y); });
    return true;
  }
  case Opcode::IPowI:
    if (a.i == 0 && b.i < 0)
      return false;
    to.i = signExtended(static_cast<uint64_t>(integerPower(a.i, b.i)), in.width);
    return true;
  default:
    return false;
  }
}

template <Arithmetic A>
bool FunctionProgram::step(const FunctionInstruction &in, Slot *frame, FunctionFailure &failure) const {
  if (in.code == Opcode::Load)
    return load(in, frame, failure);
  if (in.code == Opcode::Member)
    return member(in, frame, failure);
  const Slot a = frame[in.a], b = frame[in.b];
  Slot &to = frame[in.to];
  switch (in.code) {
#include "compiler/FunctionOps.def"
  case Opcode::Select:
    to = a.i ? b : frame[in.c];
    return true;
  default:
    return convert<A>(in, a, to) || combine<A>(in, a, b, to);
  }
}

template <Arithmetic A> bool FunctionProgram::run(Slot *frame, FunctionFailure &failure) const {
  for (const FunctionInstruction &in : code)
    if (!step<A>(in, frame, failure)) {
      failure.instruction = static_cast<uint32_t>(&in - code.data());
      return false;
    }
  return true;
}

template bool FunctionProgram::run<Arithmetic::Exact>(Slot *, FunctionFailure &) const;
template bool FunctionProgram::run<Arithmetic::Own>(Slot *, FunctionFailure &) const;

static std::string listed(const std::vector<int64_t> &numbers, const char *separator) {
  std::string text;
  for (size_t n = 0; n < numbers.size(); ++n)
    text += (n ? separator : "") + std::to_string(numbers[n]);
  return text;
}

std::string FunctionProgram::describe(const FunctionFailure &failure) const {
  const FunctionInstruction &in = code[failure.instruction];
  const Source &source = sources[in.source];
  std::string text = source.location + "'" + source.operation + "' op in @" + source.function + " expects ";
  if (in.code == Opcode::Member) {
    const ListSets::Rows &rows = *lists[in.a].lacking(failure.index);
    return text + "a row of '" + rows.name + "' of shape [" + listed(rows.shape, ", ") + "], got [" +
           listed(failure.index, ", ") + "]";
  }
  if (in.code != Opcode::Load)
    return text + "a divisor other than 0";
  const BoundTensor &bound = tensors[in.a];
  return text + "an index inside '" + bound.name + "' of shape [" + listed(bound.tensor.shape, ", ") + "], got [" +
         listed(failure.index, ", ") + "]";
}

} // namespace attn
