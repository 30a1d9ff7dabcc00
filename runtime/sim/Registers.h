// SPDX-License-Identifier: Apache-2.0
// The register file of one warp: 32-lane rows, predicate masks, and per-register poison.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <utility>
#include <vector>

namespace attn::sim {

/// One bit per lane; bit l is lane l.
using Mask = uint32_t;
inline constexpr unsigned kLanes = 32;

/// The lanes of a mask in rising order: `for (unsigned lane : lanesOf(mask))`.
struct LaneRange {
  struct Iterator {
    Mask rest;
    unsigned operator*() const { return unsigned(std::countr_zero(rest)); }
    Iterator &operator++() {
      rest &= rest - 1;
      return *this;
    }
    bool operator!=(const Iterator &other) const { return rest != other.rest; }
  };
  Mask lanes;
  Iterator begin() const { return {lanes}; }
  Iterator end() const { return {0}; }
};
inline LaneRange lanesOf(Mask lanes) { return {lanes}; }
inline constexpr Mask kAllLanes = ~Mask(0);

/// Index of a row of 32 words. With the sign bit set it names a row of the constants that all warps share.
using Row = int32_t;
/// Index of a predicate register.
using Predicate = int32_t;

/// Rows 0 and 1 of every file swallow what is written to `_`; they are never read.
inline constexpr Row kSinkRow = 0;
inline constexpr Row kFirstRow = 2;
inline constexpr Row kFirstConstant = INT32_MIN;
inline constexpr Row kNoRow = -1;
/// Predicate 0 swallows writes to `_`; 1 and 2 hold false and true, so that immediates need no shape of their own.
inline constexpr Predicate kSinkPredicate = 0;
inline constexpr Predicate kFalse = 1;
inline constexpr Predicate kTrue = 2;
inline constexpr Predicate kFirstPredicate = 3;
inline constexpr Predicate kNoPredicate = -1;

/// 32 words: one 32-bit register (or a narrower one, zero-extended) over the lanes of a warp.
struct alignas(64) RowData {
  uint32_t lane[kLanes];
};

/// Immediates and resolved symbols, each broadcast over a row (two rows when 64 bits wide, laid out as in Registers).
/// Shared by all warps; not written after load. Entry i is named by the row kFirstConstant + i.
class Constants {
public:
  /// The row that holds `value` in each lane; equal constants share a row.
  Row add(uint64_t value, bool wide);
  /// Like add, but never shared, because set() will change it.
  Row addPrivate(uint64_t value, bool wide);
  /// Rewrites a constant, when the address behind a symbol becomes known.
  void set(Row row, uint64_t value, bool wide);
  const RowData *data() const { return rows.data(); }
  size_t size() const { return rows.size(); }

private:
  std::vector<RowData> rows;
  std::unordered_map<uint64_t, Row> known[2];
};

/// Registers of one warp. A 32-bit register (or narrower: upper bits zero) is one row of 32 words. A 64-bit register is
/// two consecutive rows, 256 bytes, read as uint64_t[32]; it is named by the first. Poison, flags: entry of the first.
class Registers {
public:
  /// `rows`, `predicates`: counts that include the reserved ones. Everything starts as poison.
  Registers(size_t rows, size_t predicates, const Constants &constants) { reset(rows, predicates, constants); }
  Registers() = default;

  void reset(size_t rowCount, size_t predicateCount, const Constants &constants) {
    rows.assign(rowCount < 2 ? 2 : rowCount, RowData{});
    poisoned.assign(rows.size(), kAllLanes);
    flagBits.assign(rows.size(), 0);
    definedHalves.assign(rows.size(), {});
    predicates.assign(predicateCount < kFirstPredicate ? size_t(kFirstPredicate) : predicateCount, 0);
    predicatePoisoned.assign(predicates.size(), kAllLanes);
    predicates[kFalse] = 0;
    predicates[kTrue] = kAllLanes;
    predicatePoisoned[kFalse] = predicatePoisoned[kTrue] = 0;
    carryFlags = 0;
    carryPoison = kAllLanes;
    base[0] = rows.data();
    base[1] = constants.data();
  }

  // The file points into itself.
  Registers(const Registers &) = delete;
  Registers &operator=(const Registers &) = delete;
  Registers(Registers &&other) noexcept { *this = std::move(other); }
  Registers &operator=(Registers &&other) noexcept {
    rows = std::move(other.rows);
    poisoned = std::move(other.poisoned);
    flagBits = std::move(other.flagBits);
    definedHalves = std::move(other.definedHalves);
    predicates = std::move(other.predicates);
    predicatePoisoned = std::move(other.predicatePoisoned);
    carryFlags = other.carryFlags;
    carryPoison = other.carryPoison;
    base[0] = rows.data();
    base[1] = other.base[1];
    return *this;
  }

  /// Words of a row that is read; constants included.
  const uint32_t *read(Row row) const { return base[uint32_t(row) >> 31][row & INT32_MAX].lane; }
  const uint64_t *read64(Row row) const { return reinterpret_cast<const uint64_t *>(read(row)); }
  /// Words of a row that is written; never a constant.
  uint32_t *write(Row row) { return rows[size_t(row)].lane; }
  uint64_t *write64(Row row) { return reinterpret_cast<uint64_t *>(write(row)); }
  /// Lane `l` of a register of either width.
  uint64_t value(Row row, bool wide, unsigned lane) const { return wide ? read64(row)[lane] : read(row)[lane]; }
  void setValue(Row row, bool wide, unsigned lane, uint64_t value) {
    if (wide)
      write64(row)[lane] = value;
    else
      write(row)[lane] = uint32_t(value);
  }

  /// Lanes in which the register holds nothing that PTX defines.
  Mask poison(Row row) const { return row < 0 ? 0 : poisoned[size_t(row)]; }
  /// Sets the poison of `lanes` to the bits of `value`, leaving the other lanes alone.
  void setPoison(Row row, Mask lanes, Mask value) {
    Mask &p = poisoned[size_t(row)];
    p = (p & ~lanes) | (value & lanes);
    if (value & lanes) [[unlikely]]
      setDefinedHalves(row, lanes, 0, 0);
  }
  /// Lanes in which the lower (0) or upper (1) half of a 64-bit register is poison. Compilers leave one half of a pair
  /// undefined and take only the other one out again.
  Mask halfPoison(Row row, unsigned half) const {
    const Mask p = poison(row);
    return p ? p & ~definedHalves[size_t(row)][half] : 0;
  }
  /// After setPoison: lanes in which a half is defined although the register is poison.
  void setDefinedHalves(Row row, Mask lanes, Mask lower, Mask upper) {
    std::array<Mask, 2> &halves = definedHalves[size_t(row)];
    halves = {(halves[0] & ~lanes) | (lower & lanes), (halves[1] & ~lanes) | (upper & lanes)};
  }

  Mask predicate(Predicate p) const { return predicates[size_t(p)]; }
  Mask predicatePoison(Predicate p) const { return predicatePoisoned[size_t(p)]; }
  void setPredicate(Predicate p, Mask lanes, Mask value, Mask poison) {
    predicates[size_t(p)] = (predicates[size_t(p)] & ~lanes) | (value & lanes);
    predicatePoisoned[size_t(p)] = (predicatePoisoned[size_t(p)] & ~lanes) | (poison & lanes);
  }

  /// The carry flag of `add.cc` and its kin, a bit per lane.
  Mask carryFlags = 0;
  Mask carryPoison = kAllLanes;

  /// Marks for the asynchronous matrix instructions, per register (entry of its first row).
  enum Flag : uint8_t { InFlight = 1, ReadLocked = 2, Dirty = 4 };
  uint8_t flags(Row row) const { return row < 0 ? uint8_t(0) : flagBits[size_t(row)]; }
  void setFlag(Row row, Flag flag) { flagBits[size_t(row)] |= flag; }
  void clearFlag(Row row, Flag flag) { flagBits[size_t(row)] &= uint8_t(~flag); }
  void clearFlagEverywhere(Flag flag) {
    for (uint8_t &f : flagBits)
      f &= uint8_t(~flag);
  }

  size_t rowCount() const { return rows.size(); }
  size_t predicateCount() const { return predicates.size(); }

private:
  std::vector<RowData> rows;
  std::vector<Mask> poisoned;
  std::vector<uint8_t> flagBits;
  std::vector<std::array<Mask, 2>> definedHalves; // means something where the register is poison
  std::vector<Mask> predicates, predicatePoisoned;
  const RowData *base[2] = {nullptr, nullptr};
};

} // namespace attn::sim
