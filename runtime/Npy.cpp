// SPDX-License-Identifier: Apache-2.0
// The .npy format: a magic word, a version, a Python dictionary of three entries, and the data.
#include "runtime/Npy.h"
#include "runtime/Error.h"
#include "runtime/Files.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

namespace attn {

namespace {

constexpr std::string_view magic = "\x93NUMPY";
/// Headers are some 100 bytes; numpy itself refuses longer ones.
constexpr size_t longestHeader = 10000;
constexpr size_t mostDimensions = 32;

struct TypeCode {
  DType type;
  std::string_view code; ///< without the byte order
};
constexpr TypeCode typeCodes[] = {{DType::F16, "f2"}, {DType::F32, "f4"}, {DType::F64, "f8"}, {DType::I8, "i1"},
                                  {DType::I32, "i4"}, {DType::I64, "i8"}, {DType::Bool, "b1"}};

template <typename T> T loadAs(const std::byte *from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T> void storeAs(std::byte *to, T value) { std::memcpy(to, &value, sizeof value); }

/// Toward zero, into the range of the type; NaN becomes 0.
template <typename T> T toInteger(double value) {
  if (std::isnan(value))
    return 0;
  // 2^63 is no int64_t, so the upper bound is compared as what the conversion can take.
  if (value >= -static_cast<double>(std::numeric_limits<T>::min()))
    return std::numeric_limits<T>::max();
  if (value <= static_cast<double>(std::numeric_limits<T>::min()))
    return std::numeric_limits<T>::min();
  return static_cast<T>(value);
}

/// f64 to f32 such that a second rounding to 16 bits equals a single one: round to odd.
float toFloatOdd(double value) {
  float nearest = static_cast<float>(value);
  if (std::isnan(value) || static_cast<double>(nearest) == value)
    return nearest;
  if (std::isinf(nearest))
    return std::copysign(std::numeric_limits<float>::max(), nearest);
  float toward = std::fabs(static_cast<double>(nearest)) > std::fabs(value) ? std::nextafterf(nearest, 0.0f) : nearest;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(toward) | 1u);
}

/// The dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderReader {
public:
  HeaderReader(std::string_view text, const std::string &name) : text(text), name(name) {}

  Array read() {
    expect('{');
    while (!accept('}')) {
      std::string_view key = quoted();
      expect(':');
      readEntry(key);
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skipSpace();
    if (!text.empty())
      fail("expects the end of the header after '}'");
    if (!hasType || !hasOrder || !hasShape)
      fail("expects descr, fortran_order and shape in the header");
    return std::move(result);
  }

private:
  [[noreturn]] void fail(const std::string &sentence) { throw Error(fmt::format("{}: {}", name, sentence)); }

  void skipSpace() {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\n' || text.front() == '\t'))
      text.remove_prefix(1);
  }

  bool accept(char c) {
    skipSpace();
    if (text.empty() || text.front() != c)
      return false;
    text.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!accept(c))
      fail(fmt::format("expects '{}' in the header, got {}", c, next()));
  }

  std::string next() const {
    if (text.empty())
      return "its end";
    return std::isprint(static_cast<unsigned char>(text[0])) ? fmt::format("'{}'", text[0])
                                                             : "an unprintable character";
  }

  std::string_view quoted() {
    skipSpace();
    char quote = text.empty() ? 0 : text.front();
    if (quote != '\'' && quote != '"')
      fail(fmt::format("expects a quoted word in the header, got {}", next()));
    size_t end = text.find(quote, 1);
    if (end == std::string_view::npos)
      fail("expects a closing quote in the header");
    std::string_view inside = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    return inside;
  }

  void readEntry(std::string_view key) {
    if (key == "descr")
      readType();
    else if (key == "fortran_order")
      readOrder();
    else if (key == "shape")
      readShape();
    else
      fail("expects descr, fortran_order or shape in the header, got another key");
  }

  void readType() {
    skipSpace();
    if (!text.empty() && text.front() == '[')
      fail("expects plain elements, got a structured type");
    std::string_view code = quoted();
    if (!code.empty() && code[0] == '>')
      fail(fmt::format("expects little-endian elements, got {}: save it with x.astype(x.dtype.newbyteorder('<'))",
                       printable(code)));
    bool marked = !code.empty() && (code[0] == '<' || code[0] == '|' || code[0] == '=');
    for (const TypeCode &known : typeCodes)
      if (known.code == code.substr(marked ? 1 : 0)) {
        result.type = known.type;
        hasType = true;
        return;
      }
    fail(fmt::format("expects elements of f16, f32, f64, i8, i32, i64 or bool, got {}", printable(code)));
  }

  static std::string printable(std::string_view code) {
    std::string shown;
    for (char c : code.substr(0, 20))
      shown += std::isprint(static_cast<unsigned char>(c)) ? c : '?';
    return "'" + shown + "'";
  }

  void readOrder() {
    skipSpace();
    if (text.substr(0, 4) == "True")
      fail("expects C order, got Fortran order: save it with numpy.ascontiguousarray");
    if (text.substr(0, 5) != "False")
      fail(fmt::format("expects True or False for fortran_order, got {}", next()));
    text.remove_prefix(5);
    hasOrder = true;
  }

  void readShape() {
    expect('(');
    while (!accept(')')) {
      skipSpace();
      int64_t size = 0;
      auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), size);
      if (code != std::errc() || size < 0)
        fail(fmt::format("expects sizes from 0 to 2^63 - 1 in the shape, got {}", next()));
      text.remove_prefix(static_cast<size_t>(end - text.data()));
      if (result.shape.size() == mostDimensions)
        fail(fmt::format("expects at most {} dimensions, got more", mostDimensions));
      result.shape.push_back(size);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    hasShape = true;
  }

  std::string_view text;
  const std::string &name;
  Array result;
  bool hasType = false, hasOrder = false, hasShape = false;
};

/// Bytes of an array of that shape; nothing when they do not fit into 63 bits.
std::optional<size_t> bytesOf(const Array &array) {
  int64_t bytes = static_cast<int64_t>(sizeOf(array.type));
  bool overflow = false;
  for (int64_t size : array.shape)
    overflow |= size != 0 && __builtin_mul_overflow(bytes, size, &bytes);
  if (std::find(array.shape.begin(), array.shape.end(), 0) != array.shape.end())
    return 0;
  return overflow ? std::nullopt : std::optional<size_t>(static_cast<size_t>(bytes));
}

/// Splits the file into header and data. Format 1 has a length of two bytes, 2 and 3 of four.
std::string_view takeHeader(std::string_view &bytes, const std::string &name) {
  if (bytes.substr(0, magic.size()) != magic)
    throw Error(fmt::format("{} is no .npy file: expects '\\x93NUMPY' as its first six bytes", name));
  if (bytes.size() < 12)
    throw Error(fmt::format("{} is truncated: expects a header, got {} bytes in all", name, bytes.size()));
  auto byteAt = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(bytes[i])); };
  size_t major = byteAt(6), start = major == 1 ? 10 : 12;
  if (major < 1 || major > 3)
    throw Error(fmt::format("{} has .npy format {}: expects 1, 2 or 3", name, major));
  size_t length = byteAt(8) | byteAt(9) << 8;
  if (major != 1)
    length |= byteAt(10) << 16 | byteAt(11) << 24;
  if (length > longestHeader)
    throw Error(fmt::format("{}: expects a header of at most {} bytes, got {}", name, longestHeader, length));
  if (length > bytes.size() - start)
    throw Error(
        fmt::format("{} is truncated: expects a header of {} bytes, got {}", name, length, bytes.size() - start));
  std::string_view header = bytes.substr(start, length);
  bytes.remove_prefix(start + length);
  return header;
}

} // namespace

int64_t Array::count() const {
  // A zero anywhere makes the rest irrelevant, and its product may not fit.
  if (std::find(shape.begin(), shape.end(), 0) != shape.end())
    return 0;
  int64_t product = 1;
  for (int64_t size : shape)
    product *= size;
  return product;
}

double Array::at(int64_t i) const {
  const std::byte *from = bytes.data() + static_cast<size_t>(i) * sizeOf(type);
  switch (type) {
  case DType::F16:
    return fromF16(loadAs<uint16_t>(from));
  case DType::BF16:
    return fromBF16(loadAs<uint16_t>(from));
  case DType::F32:
    return loadAs<float>(from);
  case DType::F64:
    return loadAs<double>(from);
  case DType::I8:
    return loadAs<int8_t>(from);
  case DType::I32:
    return loadAs<int32_t>(from);
  case DType::I64:
  case DType::Index:
    return static_cast<double>(loadAs<int64_t>(from));
  case DType::Bool:
    return loadAs<uint8_t>(from) != 0;
  }
  return 0;
}

void Array::set(int64_t i, double value) {
  std::byte *to = bytes.data() + static_cast<size_t>(i) * sizeOf(type);
  switch (type) {
  case DType::F16:
    return storeAs(to, toF16(toFloatOdd(value)));
  case DType::BF16:
    return storeAs(to, toBF16(toFloatOdd(value)));
  case DType::F32:
    return storeAs(to, static_cast<float>(value));
  case DType::F64:
    return storeAs(to, value);
  case DType::I8:
    return storeAs(to, toInteger<int8_t>(value));
  case DType::I32:
    return storeAs(to, toInteger<int32_t>(value));
  case DType::I64:
  case DType::Index:
    return storeAs(to, toInteger<int64_t>(value));
  case DType::Bool:
    return storeAs(to, static_cast<uint8_t>(value != 0));
  }
}

Array makeArray(DType type, std::vector<int64_t> shape) {
  Array array{type, std::move(shape), {}};
  std::optional<size_t> bytes = bytesOf(array);
  if (!bytes)
    throw Error(fmt::format("expects an array that can be addressed, got shape {}", shapeText(array.shape)));
  array.bytes.resize(*bytes);
  return array;
}

Array converted(const Array &array, DType type) {
  if (array.type == type)
    return array;
  Array result = makeArray(type, array.shape);
  bool integers = (array.type == DType::I64 || array.type == DType::I32) && (type == DType::I64 || type == DType::I32);
  for (int64_t i = 0, count = array.count(); i < count; ++i) {
    // Between integer types nothing may pass through a double: 64 bits would be rounded.
    if (integers && array.type == DType::I64)
      storeAs(result.bytes.data() + i * 4, static_cast<int32_t>(std::clamp<int64_t>(
                                               loadAs<int64_t>(array.bytes.data() + i * 8), INT32_MIN, INT32_MAX)));
    else
      result.set(i, array.at(i));
  }
  return result;
}

std::string shapeText(const std::vector<int64_t> &shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Array parseNpy(std::string_view bytes, const std::string &name) {
  std::string_view header = takeHeader(bytes, name);
  Array array = HeaderReader(header, name).read();
  std::optional<size_t> expected = bytesOf(array);
  if (!expected)
    throw Error(fmt::format("{}: expects an array that can be addressed, got shape {}", name, shapeText(array.shape)));
  if (bytes.size() < *expected)
    throw Error(fmt::format("{} is truncated: expects {} bytes for {} of shape {}, got {}", name, *expected,
                            nameOf(array.type), shapeText(array.shape), bytes.size()));
  if (bytes.size() > *expected)
    throw Error(fmt::format("{}: expects {} bytes for {} of shape {}, got {}", name, *expected, nameOf(array.type),
                            shapeText(array.shape), bytes.size()));
  array.bytes.resize(*expected);
  if (*expected)
    std::memcpy(array.bytes.data(), bytes.data(), *expected);
  return array;
}

Array readNpy(const std::string &path) { return parseNpy(readFile(path), path); }

std::string printNpy(const Array &given) {
  const Array array = given.type == DType::BF16 ? converted(given, DType::F32) : given;
  std::string_view code = "i8";
  for (const TypeCode &known : typeCodes)
    if (known.type == array.type)
      code = known.code;
  std::string shape;
  for (int64_t size : array.shape)
    shape += fmt::format("{}, ", size);
  if (array.shape.size() > 1)
    shape.resize(shape.size() - 2);
  else if (!shape.empty())
    shape.pop_back();
  bool single = sizeOf(array.type) == 1;
  std::string header =
      fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}", single ? '|' : '<', code, shape);
  // The data begin at a multiple of 64 bytes: magic, version and length take 10, the newline 1.
  header.append((64 - (header.size() + 11) % 64) % 64, ' ');
  header += '\n';
  std::string text(magic);
  text += {'\1', '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  text += header;
  text.append(reinterpret_cast<const char *>(array.bytes.data()), array.bytes.size());
  return text;
}

void writeNpy(const std::string &path, const Array &array) { writeFile(path, printNpy(array)); }

} // namespace attn
