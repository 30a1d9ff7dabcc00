// SPDX-License-Identifier: Apache-2.0
// addresses.cu: the same structures, arrays and recursions on the host.
#include "test/foreign/Foreign.h"

#include <algorithm>

namespace attn::foreign {
namespace {

struct Shape {
  int32_t sizes[3];
  int16_t kind;
  char letter;
  double weight;
  uint64_t data;
  int64_t strides[3];
};
struct Pixel {
  uint8_t r, g, b, a;
};
struct alignas(16) Packet {
  float position[4];
  double weight;
  uint16_t ids[4];
};

constexpr int kPrimes[16] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53};
constexpr char kLetters[] = "attentio";

double volume(const Shape &shape) {
  return shape.weight * shape.sizes[0] * shape.sizes[1] * shape.sizes[2] + shape.kind + shape.letter;
}

void structures(Machine &machine) {
  std::vector<float> data(100);
  for (size_t i = 0; i < data.size(); ++i)
    data[i] = float(i) / 4;
  Shape shape{{3, 5, 2}, -7, 'q', 0.125, machine.put(data, "data"), {9, 2, -40}}, copy = shape;
  copy.kind = 300;
  copy.weight = 2.5;
  const unsigned block = 40;
  const uint64_t out = machine.space<double>(2 * block, "out");
  machine.launch("structures", {1}, {block}, 0, shape, copy, char(100), out);
  std::vector<double> wanted;
  for (int i = 0; i < int(block); ++i) {
    Shape own = copy;
    own.sizes[i % 3] += i;
    wanted.push_back(volume(shape) + data[size_t(i % 3 * 9 + i / 3 % 5 * 2 + 40)]);
    wanted.push_back(volume(own) + 100);
  }
  expectEqual("out of structures", machine.getWritten<double>(out, wanted.size(), "out"), wanted);
}

void arrays(Machine &machine) {
  std::mt19937 random(51);
  std::vector<int> in(64);
  for (int &value : in)
    value = int(random() % 2000) - 1000;
  const int n = 21, count = 96;
  std::vector<int> wanted;
  for (int i = 0; i < count; ++i) {
    std::vector<std::pair<int, int>> sorted; // value and index: insertion keeps the order of equal ones
    for (int j = 0; j < n; ++j)
      sorted.push_back({in[size_t(i * 7 + j * j) % 64], j});
    std::stable_sort(sorted.begin(), sorted.end(), [](auto a, auto b) { return a.first < b.first; });
    uint32_t hash = 1;
    for (int j = 0; j < n; ++j) {
      const auto [value, index] = sorted[size_t(j)];
      const int unsorted = in[size_t(i * 7 + j * j) % 64];
      hash = hash * 31 + uint32_t(value * kPrimes[index % 16]) + uint32_t(kLetters[unsorted & 7]);
    }
    wanted.push_back(int(hash));
  }
  const uint64_t out = machine.space<int>(count, "out");
  machine.launch("arrays", {2}, {48}, 0, machine.put(in, "in"), out, n);
  expectEqual("out of arrays", machine.getWritten<int>(out, count, "out"), wanted);
}

/// Closed forms for the first three rows.
uint32_t ackermann(uint32_t m, uint32_t n) { return m == 0 ? n + 1 : m == 1 ? n + 2 : 2 * n + 3; }

/// How many non-decreasing lists of `left` numbers from `from` to 6 have a product that is their sum plus `sum`.
uint32_t combinations(int from, int left, int sum, int product) {
  if (left == 0)
    return product == sum;
  uint32_t found = 0;
  for (int next = from; next <= 6; ++next)
    found += combinations(next, left - 1, sum + next, product * next);
  return found;
}

void recursion(Machine &machine) {
  const unsigned block = 40;
  std::vector<uint32_t> wanted(2 * block);
  for (unsigned i = 0; i < block; ++i) {
    wanted[i] = ackermann(i % 3, i / 3 % 5);
    wanted[block + i] = combinations(int(1 + i % 4), int(i % 5), int(i / 8), 1);
  }
  const uint64_t out = machine.space<uint32_t>(wanted.size(), "out");
  machine.launch("recursion", {1}, {block}, 0, out);
  expectEqual("out of recursion", machine.getWritten<uint32_t>(out, wanted.size(), "out"), wanted);
}

/// An element of type T at an index, of memory seen as that type.
template <typename T, typename Memory> T at(const std::vector<Memory> &memory, size_t index) {
  T value;
  std::memcpy(&value, reinterpret_cast<const char *>(memory.data()) + index * sizeof(T), sizeof(T));
  return value;
}

void vectors(Machine &machine) {
  const size_t count = 32;
  std::mt19937 random(52);
  std::vector<Packet> packets(count), outPackets(count);
  std::vector<Pixel> pixels(count), outPixels(count);
  std::vector<int8_t> bytes(4 * count);
  std::vector<int16_t> shorts(2 * count);
  std::vector<int64_t> sums(4 * count);
  for (size_t i = 0; i < count; ++i) {
    for (float &x : packets[i].position)
      x = float(random() % 1000) / 8;
    packets[i].weight = double(random() % 100000) / 16;
    for (uint16_t &id : packets[i].ids)
      id = uint16_t(random());
    pixels[i] = {uint8_t(random()), uint8_t(random()), uint8_t(random()), uint8_t(random())};
  }
  for (int8_t &byte : bytes)
    byte = int8_t(random());
  for (int16_t &value : shorts)
    value = int16_t(random());
  for (size_t i = 0; i < count; ++i) {
    const size_t back = count - 1 - i;
    Packet &packet = outPackets[i] = packets[back];
    packet.position[1] += packet.position[3];
    packet.weight *= 2;
    packet.ids[i % 4] ^= 0xff00;
    const Pixel &p = pixels[back];
    outPixels[i] = {p.a, p.b, p.g, p.r};
    const auto four = [&](size_t j) { return int64_t(uint8_t(bytes[4 * i + j])); };
    int64_t sum = four(0) + 3 * four(1) - four(2) + four(3) * 1000 + bytes[2 * i] * bytes[2 * i + 1];
    sum += at<int64_t>(packets, 2 * i) ^ at<int64_t>(packets, 2 * i + 1);
    sum += at<int32_t>(shorts, i % 16 * 2) ^ at<int32_t>(shorts, i % 16 * 2 + 1);
    sum += int64_t(at<double>(packets, 2 + 4 * i)) + shorts[2 * back] * 65536ll + shorts[2 * ((i + 5) % 32) + 1];
    sum += shorts[i] + bytes[i];
    sums[i] = sum;
    sums[count + i] = ~sum;
    sums[2 * count + i] = sum * 3;
    sums[3 * count + i] = sum * 5;
  }
  const uint64_t a = machine.space<Packet>(count, "outPackets"), b = machine.space<Pixel>(count, "outPixels");
  const uint64_t c = machine.space<int64_t>(sums.size(), "sums");
  machine.launch("vectors", {1}, {unsigned(count)}, 0, machine.put(packets, "packets"), machine.put(pixels, "pixels"),
                 machine.put(bytes, "bytes"), machine.put(shorts, "shorts"), a, b, c);
  const auto asBytes = [](const auto &list) {
    std::vector<uint8_t> raw(list.size() * sizeof(list[0]));
    std::memcpy(raw.data(), list.data(), raw.size());
    return raw;
  };
  expectEqual("packets", machine.getWritten<uint8_t>(a, count * sizeof(Packet), "packets"), asBytes(outPackets));
  expectEqual("pixels", machine.getWritten<uint8_t>(b, count * sizeof(Pixel), "pixels"), asBytes(outPixels));
  expectEqual("sums", machine.getWritten<int64_t>(c, sums.size(), "sums"), sums);
}

void generic(Machine &machine) {
  const int count = 32;
  std::vector<int> choice(count), in(count), changed, wanted(4 * count);
  const float scales[2] = {0.5f, 4.0f};
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < count; ++i) {
      choice[size_t(i)] = (i * 5 + round) % 3;
      in[size_t(i)] = i * i;
    }
    changed = in;
    const int counters[4] = {1, -2, 3, round * 7};
    for (int i = 0; i < count; ++i) {
      const int kind = choice[size_t(i)], local = (i % 4 + 1) * 10;
      const int value = kind == 0 ? in[size_t(i)] : kind == 1 ? 1000 + 31 - i : local;
      changed[size_t(i)] += kind == 0 ? 5 : 0;
      wanted[size_t(i)] = value + 5 + 100000 * (1 << kind);
      const int other = 31 - i;
      wanted[size_t(count + i)] = int(float(other) * scales[other % 2]);
      wanted[size_t(2 * count + i)] =
          1000 + i + (choice[size_t(other)] == 1 ? 5 : 0) + (kind == 2 && i % 4 == 3 ? 45 : 40);
      wanted[size_t(3 * count + i)] = counters[i % 4];
    }
    const uint64_t addressIn = machine.put(in, "in"), out = machine.space<int>(wanted.size(), "out");
    machine.launch("generic", {1}, {unsigned(count)}, 4 * count, machine.put(choice, "choice"), addressIn, out);
    expectEqual("out of generic", machine.getWritten<int>(out, wanted.size(), "out"), wanted);
    expectEqual("in of generic", machine.get<int>(addressIn, in.size()), changed);
  }
}

void farAway(Machine &machine) {
  std::vector<float> data(32);
  for (size_t i = 0; i < data.size(); ++i)
    data[i] = float(i) * 1.5f;
  const uint64_t address = machine.put(data, "data");
  for (int64_t stride : {int64_t(0x123456780), int64_t(-0x123456780), int64_t(0x7ffffffc)})
    for (int row : {3, 100}) {
      const uint64_t base = address - uint64_t(row * stride), out = machine.space<float>(32, "out");
      machine.launch("farAway", {1}, {32}, 0, base, stride, row, out);
      expectEqual("out of farAway", machine.getWritten<float>(out, 32, "out"), data);
    }
}

void print(Machine &machine) {
  const double x = 0.0012345678;
  const uint64_t pointer = 0x1234;
  const std::string wanted = "plain\n42   -42|7   |0000beef z % text 0x1234\n"
                             "0.001235 1.235e-03 0.00123457 1234567890123 ffffffffffffffff -3\n";
  const auto statistics = machine.launch("print", {1}, {32}, 0, 42, x, pointer);
  if (statistics.output != wanted)
    throw std::runtime_error("printf expects\n" + wanted + "got\n" + statistics.output);
  std::string message;
  try {
    machine.launch("print", {1}, {32}, 0, 100, x, pointer);
  } catch (const Error &error) {
    message = error.what();
  }
  for (const char *part : {"n < 100 || threadIdx.x != 2", "addresses.cu", "(2,0,0)"})
    if (message.find(part) == std::string::npos)
      throw std::runtime_error(fmt::format("the assertion's message expects '{}', got '{}'", part, message));
}

} // namespace

void checkAddresses(Machine &machine) {
  structures(machine);
  arrays(machine);
  recursion(machine);
  vectors(machine);
  generic(machine);
  farAway(machine);
  print(machine);
}

} // namespace attn::foreign
