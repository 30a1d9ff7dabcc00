// SPDX-License-Identifier: Apache-2.0
// Matrix instructions of a warp: mma.sync, ldmatrix, stmatrix, movmatrix.
#include "runtime/sim/Matrix.h"
#include "runtime/sim/Access.h"
#include "runtime/sim/Grid.h"
#include "runtime/sim/Handlers.h"
#include "runtime/sim/MatrixMath.h"
#include "runtime/sim/Warp.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

namespace attn::sim {

static constexpr uint32_t kCanonicalNaN = 0x7fffffff;

void requireWholeWarp(Warp &w, Mask lanes) {
  if (lanes != kAllLanes && w.checks().aligned)
    throw Fault{"aligned", fmt::format("expects all 32 lanes, got {}", Warp::laneRange(lanes))};
}

unsigned perWord(Type type) {
  switch (type) {
  case Type::F32:
  case Type::TF32:
  case Type::S32:
    return 1;
  case Type::F16:
  case Type::BF16:
    return 2;
  default:
    return 4;
  }
}

/// Rows (of a) or columns (of b) of an operand that hold something undefined, as a bit each. Register r holds the eight
/// rows `group(r)` .. + 7, four lanes a row.
template <class Group> static uint32_t poisonedLines(Warp &w, const int32_t *rows, unsigned count, Group group) {
  uint32_t lines = 0;
  for (unsigned r = 0; r < count; ++r)
    if (Mask poison = w.registers.poison(rows[r])) [[unlikely]]
      for (unsigned line = 0; line < 8; ++line)
        lines |= uint32_t((poison >> 4 * line & 0xf) != 0) << (line + group(r));
  return lines;
}

uint32_t poisonedRows(Warp &w, const int32_t *rows, unsigned count) {
  return poisonedLines(w, rows, count, [](unsigned r) { return 8 * (r & 1); });
}

/// The accumulator's element `e` of a lane: two lie beside each other in a row, the second two eight rows below.
static unsigned sumIndex(unsigned lane, unsigned e) { return (lane / 4 + 8 * (e >> 1)) * 8 + 2 * (lane % 4) + (e & 1); }

void readSums(Warp &w, const int32_t *rows, Type type, double *sum) {
  if (type == Type::F16) {
    for (unsigned r = 0; r < 2; ++r)
      decodeBlock(w.registers.read(rows[r]), Type::F16, sum + r * 64, 8, false);
    return;
  }
  for (unsigned r = 0; r < 4; ++r) {
    const uint32_t *words = w.registers.read(rows[r]);
    for (unsigned lane = 0; lane < kLanes; ++lane)
      sum[sumIndex(lane, r)] =
          type == Type::S32 ? double(int32_t(words[lane])) : double(std::bit_cast<float>(words[lane]));
  }
}

static uint32_t wrapped(double value) { return uint32_t(int64_t(value)); }

static uint32_t rounded(double value) {
  float result = float(value);
  return result == result ? std::bit_cast<uint32_t>(result) : kCanonicalNaN;
}

void writeSums(Warp &w, const int32_t *rows, Type type, const double *sum) {
  if (type == Type::F16) {
    for (unsigned r = 0; r < 2; ++r) {
      uint32_t *words = w.registers.write(rows[r]);
      for (unsigned lane = 0; lane < kLanes; ++lane)
        words[lane] = uint32_t(roundToHalf(sum[sumIndex(lane, 2 * r)])) |
                      uint32_t(roundToHalf(sum[sumIndex(lane, 2 * r + 1)])) << 16;
    }
    return;
  }
  for (unsigned r = 0; r < 4; ++r) {
    uint32_t *words = w.registers.write(rows[r]);
    if (type == Type::S32)
      for (unsigned lane = 0; lane < kLanes; ++lane)
        words[lane] = wrapped(sum[sumIndex(lane, r)]);
    else
      for (unsigned lane = 0; lane < kLanes; ++lane)
        words[lane] = rounded(sum[sumIndex(lane, r)]);
  }
}

/// A poisoned row of a poisons a row of d, a column of b a column, an element of c itself.
static void writePoison(Warp &w, const int32_t *d, const int32_t *c, unsigned count, uint32_t rows, uint32_t columns) {
  Mask result[4] = {};
  for (unsigned r = 0; r < count; ++r) {
    result[r] = w.registers.poison(c[r]);
    if (!(rows | columns)) [[likely]]
      continue;
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      // Two 16-bit sums share a register, so either of their columns will do.
      unsigned below = count == 2 ? r : r >> 1;
      uint32_t mine = count == 2 ? 3u << 2 * (lane % 4) : 1u << (2 * (lane % 4) + (r & 1));
      bool bad = (rows >> (lane / 4 + 8 * below) & 1) || (columns & mine);
      result[r] |= Mask(bad) << lane;
    }
  }
  for (unsigned r = 0; r < count; ++r)
    w.registers.setPoison(d[r], kAllLanes, result[r]);
}

namespace matrix {

void multiply(Warp &w, const Op &op, Mask lanes) {
  requireWholeWarp(w, lanes);
  const Form &form = *op.form;
  const int32_t *d = w.context().module.lists.data() + op.list;
  const int32_t *a = d + op.listSize[0], *b = a + op.listSize[1], *c = b + op.listSize[2];
  const unsigned countA = op.listSize[1], countB = op.listSize[2], countSum = op.listSize[0];
  const unsigned width = 4 * perWord(form.types[1]);
  MatrixPanels panels;
  panels.depth = width * countB;
  for (unsigned r = 0; r < countA; ++r)
    decodeBlock(w.registers.read(a[r]), form.types[1], panels.a + (r & 1) * 8 * kMaxDepth + (r >> 1) * width, kMaxDepth,
                false);
  for (unsigned r = 0; r < countB; ++r)
    decodeBlock(w.registers.read(b[r]), form.types[2], panels.b + r * width * 8, 8, true);
  readSums(w, c, form.types[3], panels.sum);
  if (w.context().options.matrixTruncate && form.types[0] != Type::S32)
    multiplyTruncated(panels, kTruncatedBits);
  else
    multiplyPanels(panels);
  uint32_t rows = poisonedRows(w, a, countA);
  uint32_t columns = poisonedLines(w, b, countB, [](unsigned) { return 0u; });
  writePoison(w, d, c, countSum, rows, columns);
  writeSums(w, d, form.types[0], panels.sum);
}

/// Shared offsets of the rows that ldmatrix and stmatrix touch: lane 8 i + r has the address of row r of matrix i.
static void rowAddresses(Warp &w, const Op &op, unsigned matrices, uint64_t *address) {
  Mask used = matrices == 4 ? kAllLanes : (Mask(1) << 8 * matrices) - 1;
  w.addresses(op, op.a, op.wideAddress & 1, op.imm, used, address);
  if (op.form->space != Space::Generic)
    return;
  for (unsigned lane = 0; lane < 8 * matrices; ++lane) {
    Resolved resolved = resolveGeneric(address[lane]);
    if (resolved.space != Space::Shared && w.checks().bounds)
      throw Fault{"oob", fmt::format("expects an address in shared memory, got {:#x}", address[lane]), {}, int(lane)};
    address[lane] = resolved.address;
  }
}

/// Words of a transposed 8 x 8 block of 16-bit elements.
static void transposeBlock(const uint32_t *from, uint32_t *to) {
  uint16_t tile[64];
  std::memcpy(tile, from, sizeof tile);
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    unsigned g = lane / 4, q = lane % 4;
    to[lane] = uint32_t(tile[2 * q * 8 + g]) | uint32_t(tile[(2 * q + 1) * 8 + g]) << 16;
  }
}

/// Lanes whose word of a block (transposed or not) contains bytes that are poison; `rows` has 16 bits a row.
static Mask poisonedWords(const ByteMask *rows, bool transposed) {
  Mask poison = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    unsigned g = lane / 4, q = lane % 4;
    bool bad = transposed ? ((rows[2 * q] | rows[2 * q + 1]) >> 2 * g & 3) != 0 : (rows[g] >> 4 * q & 0xf) != 0;
    poison |= Mask(bad) << lane;
  }
  return poison;
}

void load(Warp &w, const Op &op, Mask lanes) {
  requireWholeWarp(w, lanes);
  const unsigned matrices = op.listSize[0];
  const int32_t *rows = w.context().module.lists.data() + op.list;
  uint64_t address[kLanes];
  rowAddresses(w, op, matrices, address);
  Actor actor = w.actor(op);
  SharedMemory &shared = w.block().shared;
  uint32_t words[4][kLanes];
  ByteMask poison[kLanes];
  ByteMask any = 0;
  for (unsigned lane = 0; lane < 8 * matrices; ++lane) {
    actor.lane = lane;
    poison[lane] = shared.load(actor, address[lane], 16, &words[lane / 8][lane % 8 * 4]);
    any |= poison[lane];
    if (poison[lane]) [[unlikely]]
      w.notePoison(op, lane, address[lane]);
  }
  for (unsigned i = 0; i < matrices; ++i) {
    if (op.form->trans)
      transposeBlock(words[i], w.registers.write(rows[i]));
    else
      std::memcpy(w.registers.write(rows[i]), words[i], sizeof words[i]);
    w.registers.setPoison(rows[i], kAllLanes, any ? poisonedWords(poison + 8 * i, op.form->trans) : 0);
  }
}

void store(Warp &w, const Op &op, Mask lanes) {
  requireWholeWarp(w, lanes);
  const unsigned matrices = op.listSize[0];
  const int32_t *rows = w.context().module.lists.data() + op.list;
  uint64_t address[kLanes];
  rowAddresses(w, op, matrices, address);
  Actor actor = w.actor(op);
  for (unsigned i = 0; i < matrices; ++i) {
    uint32_t words[kLanes];
    uint32_t bad[kLanes] = {}, badWords[kLanes];
    Mask poison = w.registers.poison(rows[i]);
    for (unsigned lane = 0; lane < kLanes; ++lane)
      bad[lane] = poison >> lane & 1 ? ~0u : 0;
    const uint32_t *source = w.registers.read(rows[i]);
    // The transposition of blocks is its own inverse, and it carries poison along.
    if (op.form->trans) {
      transposeBlock(source, words);
      transposeBlock(bad, badWords);
    } else {
      std::memcpy(words, source, sizeof words);
      std::memcpy(badWords, bad, sizeof bad);
    }
    for (unsigned row = 0; row < 8; ++row) {
      actor.lane = 8 * i + row;
      ByteMask bytes = 0;
      for (unsigned word = 0; word < 4; ++word)
        bytes |= ((badWords[4 * row + word] & 1 ? 3u : 0) | (badWords[4 * row + word] >> 31 ? 12u : 0)) << 4 * word;
      w.block().shared.store(actor, address[8 * i + row], 16, words + 4 * row, bytes);
    }
  }
  w.progressed();
}

void move(Warp &w, const Op &op, Mask lanes) {
  requireWholeWarp(w, lanes);
  uint32_t words[kLanes], bad[kLanes], badWords[kLanes];
  Mask poison = w.registers.poison(op.a), result = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane)
    bad[lane] = poison >> lane & 1 ? ~0u : 0;
  transposeBlock(w.registers.read(op.a), words);
  transposeBlock(bad, badWords);
  for (unsigned lane = 0; lane < kLanes; ++lane)
    result |= Mask(badWords[lane] != 0) << lane;
  std::memcpy(w.registers.write(op.dst), words, sizeof words);
  w.registers.setPoison(op.dst, kAllLanes, result);
}

} // namespace matrix

} // namespace attn::sim
