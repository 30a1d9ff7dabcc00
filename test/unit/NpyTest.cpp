// SPDX-License-Identifier: Apache-2.0
// .npy files: bytes written by hand, the way back, and a sentence for each thing that can be wrong.
#include "runtime/Npy.h"
#include "test/unit/Test.h"

#include <cmath>
#include <unistd.h>

using namespace attn;
using namespace attn::test;

static std::string npy(const std::string &header, const std::string &data, char major = 1) {
  std::string text = "\x93NUMPY";
  text += {major, '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  if (major != 1)
    text += {'\0', '\0'};
  return text + header + data;
}

static const std::string plain = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";

TEST(npyIsRead) {
  // 1.0f and -2.5f.
  std::string data("\x00\x00\x80\x3f\x00\x00\x20\xc0", 8);
  for (char major : {1, 2, 3}) {
    Array array = parseNpy(npy(plain, data, major), "x.npy");
    EXPECT(array.type == DType::F32);
    EXPECT_EQ(array.shape, (std::vector<int64_t>{2}));
    EXPECT_EQ(array.at(0), 1.0);
    EXPECT_EQ(array.at(1), -2.5);
  }
  Array scalar = parseNpy(npy("{'shape': (), 'fortran_order': False, 'descr': '|b1'}", std::string(1, '\1')), "x.npy");
  EXPECT(scalar.type == DType::Bool && scalar.shape.empty() && scalar.at(0) == 1);
  Array empty = parseNpy(npy("{\"descr\": \"<i8\", \"fortran_order\": False, \"shape\": (3, 0, 4)}", ""), "x.npy");
  EXPECT(empty.type == DType::I64 && empty.count() == 0);
  Array wide = parseNpy(npy("{'descr': '<i4', 'fortran_order': False, 'shape': (4611686018427387904, 0, 8)}", ""), "x");
  EXPECT_EQ(wide.count(), 0);
}

TEST(npyRoundTrip) {
  for (DType type : {DType::F16, DType::F32, DType::F64, DType::I8, DType::I32, DType::I64, DType::Bool}) {
    Array array = makeArray(type, {2, 3});
    for (int64_t i = 0; i < 6; ++i)
      array.set(i, type == DType::Bool ? double(i % 2) : double(i) - 2);
    std::string text = printNpy(array);
    EXPECT_EQ((text.size() - array.bytes.size()) % 64, 0u);
    Array again = parseNpy(text, "x.npy");
    EXPECT(again.type == type && again.shape == array.shape && again.bytes == array.bytes);
  }
  Array one = makeArray(DType::F32, {1});
  EXPECT(printNpy(one).find("'shape': (1,)") != std::string::npos);
  EXPECT(printNpy(makeArray(DType::F32, {})).find("'shape': ()") != std::string::npos);
}

TEST(npyWritesBfloatAsFloat) {
  Array array = makeArray(DType::BF16, {1});
  array.set(0, 1.00390625 + 1e-4); // just above the midpoint of 1 and 1 + 2^-7
  Array read = parseNpy(printNpy(array), "x.npy");
  EXPECT(read.type == DType::F32);
  EXPECT_EQ(read.at(0), 1.0078125);
}

TEST(npyRoundsOnce) {
  // Slightly above the midpoint of two f16 numbers, by less than an f32 can hold: rounding twice would go down.
  Array array = makeArray(DType::F64, {2});
  array.set(0, 1 + 0x1p-11 + 0x1p-40);
  array.set(1, 1 + 0x1p-8 + 0x1p-40);
  EXPECT_EQ(converted(array, DType::F16).at(0), 1 + 0x1p-10);
  EXPECT_EQ(converted(array, DType::BF16).at(1), 1 + 0x1p-7);
  array.set(0, 1e300);
  EXPECT(std::isinf(converted(array, DType::F16).at(0)));
  EXPECT(std::isinf(converted(array, DType::BF16).at(0)));
}

TEST(npyIntegersKeepAllBits) {
  Array array = makeArray(DType::I32, {1});
  array.set(0, 3e9);
  EXPECT_EQ(array.at(0), 2147483647.0);
  array.set(0, NAN);
  EXPECT_EQ(array.at(0), 0.0);
}

static std::string faultOf(const std::string &bytes) {
  return fmt::format("{}", fmt::join(faultsIn([&] { parseNpy(bytes, "x.npy"); }), " | "));
}

static std::string faultOfHeader(const std::string &old, const std::string &replacement) {
  std::string header = plain;
  header.replace(header.find(old), old.size(), replacement);
  return faultOf(npy(header, std::string(8, '\0')));
}

TEST(npyFaultsOfFiles) {
  EXPECT_EQ(faultOf("GIF89a"), "x.npy is no .npy file: expects '\\x93NUMPY' as its first six bytes");
  EXPECT_EQ(faultOf(""), "x.npy is no .npy file: expects '\\x93NUMPY' as its first six bytes");
  EXPECT_EQ(faultOf("\x93NUMPY\x01"), "x.npy is truncated: expects a header, got 7 bytes in all");
  EXPECT_EQ(faultOf(npy(plain, std::string(8, '\0'), 4)), "x.npy has .npy format 4: expects 1, 2 or 3");
  EXPECT_EQ(faultOf(npy(plain, "").substr(0, 20)), "x.npy is truncated: expects a header of 58 bytes, got 10");
  EXPECT_EQ(faultOf(npy(std::string(20000, ' '), "")), "x.npy: expects a header of at most 10000 bytes, got 20000");
  EXPECT_EQ(faultOf(npy(plain, "1234567")), "x.npy is truncated: expects 8 bytes for f32 of shape [2], got 7");
  EXPECT_EQ(faultOf(npy(plain, "123456789")), "x.npy: expects 8 bytes for f32 of shape [2], got 9");
  EXPECT_FAULTS(readNpy("/nowhere/x.npy"), "cannot read '/nowhere/x.npy': No such file or directory");
  EXPECT_FAULTS(readNpy("/"), "cannot read '/': Is a directory");
  EXPECT_FAULTS(writeNpy("/nowhere/x.npy", Array{}), "cannot write '/nowhere/x.npy': No such file or directory");
}

TEST(npyFaultsOfHeaders) {
  EXPECT_EQ(faultOfHeader("<f4", ">f4"),
            "x.npy: expects little-endian elements, got '>f4': save it with x.astype(x.dtype.newbyteorder('<'))");
  EXPECT_EQ(faultOfHeader("<f4", "<c8"), "x.npy: expects elements of f16, f32, f64, i8, i32, i64 or bool, got '<c8'");
  EXPECT_EQ(faultOfHeader("'<f4'", "[('a', '<f4')]"), "x.npy: expects plain elements, got a structured type");
  EXPECT_EQ(faultOfHeader("False", "True"),
            "x.npy: expects C order, got Fortran order: save it with numpy.ascontiguousarray");
  EXPECT_EQ(faultOfHeader("False", "Maybe"), "x.npy: expects True or False for fortran_order, got 'M'");
  EXPECT_EQ(faultOfHeader("descr", "dtype"),
            "x.npy: expects descr, fortran_order or shape in the header, got another key");
  EXPECT_EQ(faultOfHeader("'fortran_order': False, ", ""),
            "x.npy: expects descr, fortran_order and shape in the header");
  EXPECT_EQ(faultOfHeader("{", ""), "x.npy: expects '{' in the header, got '''");
  EXPECT_EQ(faultOfHeader(":", ""), "x.npy: expects ':' in the header, got '''");
  EXPECT_EQ(faultOfHeader("}", "} 1"), "x.npy: expects the end of the header after '}'");
  EXPECT_EQ(faultOfHeader(", }", ""), "x.npy: expects '}' in the header, got its end");
  EXPECT_EQ(faultOfHeader("(2,)", "(2;)"), "x.npy: expects ')' in the header, got ';'");
  EXPECT_EQ(faultOfHeader("(2,)", "(-2,)"), "x.npy: expects sizes from 0 to 2^63 - 1 in the shape, got '-'");
  EXPECT_EQ(faultOfHeader("(2,)", "(99999999999999999999,)"),
            "x.npy: expects sizes from 0 to 2^63 - 1 in the shape, got '9'");
  EXPECT_EQ(faultOfHeader("(2,)", "(4611686018427387904, 4)"),
            "x.npy: expects an array that can be addressed, got shape [4611686018427387904, 4]");
  std::string many = "(";
  for (int i = 0; i < 33; ++i)
    many += "1,";
  EXPECT_EQ(faultOfHeader("(2,)", many + ")"), "x.npy: expects at most 32 dimensions, got more");
  EXPECT_EQ(faultOfHeader("'shape'", "shape"), "x.npy: expects a quoted word in the header, got 's'");
  EXPECT_EQ(faultOfHeader("'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", "'descr"),
            "x.npy: expects a closing quote in the header");
}
