// SPDX-License-Identifier: Apache-2.0
// Types and modifiers by name.
#include "runtime/sim/Keywords.h"
#include "runtime/sim/Form.h"

#include <iterator>

namespace attn::sim {
namespace {

//===-- Types --------------------------------------------------------------------------------------------------------

struct TypeInfo {
  const char *name;
  unsigned bits;
};
constexpr TypeInfo kTypes[] = {
    {"", 0},       {"b8", 8},      {"b16", 16},    {"b32", 32},    {"b64", 64},   {"b128", 128}, {"u8", 8},
    {"u16", 16},   {"u32", 32},    {"u64", 64},    {"s8", 8},      {"s16", 16},   {"s32", 32},   {"s64", 64},
    {"f16", 16},   {"f32", 32},    {"f64", 64},    {"bf16", 16},   {"tf32", 32},  {"e4m3", 8},   {"e5m2", 8},
    {"f16x2", 32}, {"bf16x2", 32}, {"e4m3x2", 16}, {"e5m2x2", 16}, {"u16x2", 32}, {"s16x2", 32}, {"pred", 1}};

//===-- Keywords -----------------------------------------------------------------------------------------------------

Keyword keyword(std::string_view word, Slot slot, unsigned value) { return {word, slot, value, nullptr}; }

template <class E> std::vector<Keyword> enumeration(Slot slot, std::string_view words, E first) {
  std::vector<Keyword> result;
  unsigned value = unsigned(first);
  while (!words.empty()) {
    size_t end = words.find(' ');
    result.push_back(keyword(words.substr(0, end), slot, value++));
    words = end == std::string_view::npos ? std::string_view() : words.substr(end + 1);
  }
  return result;
}

} // namespace

const std::unordered_map<std::string_view, Keyword> &commonKeywords() {
  static const auto map = [] {
    std::unordered_map<std::string_view, Keyword> m;
    auto put = [&](const std::vector<Keyword> &list) {
      for (const Keyword &k : list)
        m[k.word] = k;
    };
    for (unsigned i = 1; i < std::size(kTypes); ++i)
      m[kTypes[i].name] = keyword(kTypes[i].name, Slot::Type, i);
    put(enumeration(Slot::Space, "global shared shared::cluster local const param", Space::Global));
    m["shared::cta"] = keyword("shared::cta", Slot::Space, unsigned(Space::Shared));
    m["param::entry"] = m["param::func"] = keyword("param", Slot::Space, unsigned(Space::Param));
    put(enumeration(Slot::Scope, "cta cluster gpu sys", Scope::Cta));
    put(enumeration(Slot::Semantics, "weak relaxed acquire release acq_rel sc volatile mmio", Semantics::Weak));
    put(enumeration(Slot::Rounding, "rn rz rm rp rna rni rzi rmi rpi approx full", Rounding::Rn));
    put(enumeration(Slot::Reduce, "add min max and or xor exch cas inc dec popc ballot any all uni", Reduce::Add));
    put(enumeration(Slot::Mode, "lo hi wide l r", Mode::Lo));
    m["shiftamt"] = keyword("shiftamt", Slot::Mode, unsigned(Mode::ShiftAmount));
    put(enumeration(Slot::Shape, "m16n8k4 m16n8k8 m16n8k16 m16n8k32 m8n8", MatrixShape::M16N8K4));
    const std::pair<const char *, bool Form::*> flags[] = {{"ftz", &Form::ftz},
                                                           {"sat", &Form::sat},
                                                           {"satfinite", &Form::satfinite},
                                                           {"relu", &Form::relu},
                                                           {"NaN", &Form::nan},
                                                           {"cc", &Form::carryOut},
                                                           {"sync", &Form::sync},
                                                           {"aligned", &Form::aligned},
                                                           {"trans", &Form::trans},
                                                           {"parity", &Form::parity},
                                                           {"multicast::cluster", &Form::multicast},
                                                           {"read", &Form::read},
                                                           {"noinc", &Form::noinc},
                                                           {"noftz", &Form::noFtz},
                                                           {"nc", &Form::nonCoherent},
                                                           {"L2::cache_hint", &Form::cacheHint},
                                                           {"to", &Form::to},
                                                           {"cg", &Form::cg},
                                                           {"tile", &Form::tile},
                                                           {"bulk_group", &Form::bulkGroup}};
    for (auto [word, flag] : flags)
      m[word] = {word, Slot::Flag, 1, flag};
    return m;
  }();
  return map;
}

const std::map<std::string_view, std::vector<Keyword>> &keywordSets() {
  static const auto sets = [] {
    std::map<std::string_view, std::vector<Keyword>> s;
    auto common = [&](std::string_view set, std::string_view words) {
      std::vector<Keyword> list;
      for (Keyword k : enumeration(Slot::Ignored, words, 0)) {
        auto known = commonKeywords().find(k.word);
        list.push_back(known == commonKeywords().end() ? keyword(k.word, Slot::Ignored, 0) : known->second);
      }
      s[set] = list;
    };
    common("int", "s32 u32 s64 u64 s16 u16");
    common("int3264", "s32 u32 s64 u64");
    common("signed", "s32 s64 s16");
    common("rnd", "rn rz rm rp");
    common("irnd", "rni rzi rmi rpi");
    common("cvtrnd", "rn rz rm rp rni rzi rmi rpi");
    common("cmptype", "s32 u32 s64 u64 s16 u16 b32 b64 b16 f32 f64 f16 bf16");
    common("move", "b32 b64 b16 u32 s32 u64 s64 u16 s16 f32 f64 f16 f16x2 bf16 bf16x2");
    common("cvtint", "s32 u32 s64 u64 s16 u16 s8 u8");
    common("cvtfloat", "f32 f64 f16 bf16");
    common("space", "global shared shared::cta shared::cluster local const param param::entry param::func");
    common("scope", "cta cluster gpu sys");
    common("sem", "relaxed acquire release acq_rel");
    common("ldsem", "weak relaxed acquire volatile mmio");
    common("stsem", "weak relaxed release volatile mmio");
    common("arrivesem", "release relaxed");
    common("waitsem", "acquire relaxed");
    common("arrivescope", "cta cluster");
    common("cache", "ca cg cs cv lu wb wt");
    for (Keyword &k : s["cache"])
      k = keyword(k.word, Slot::Ignored, 0);
    common("evict", "L1::evict_normal L1::evict_unchanged L1::evict_first L1::evict_last L1::no_allocate");
    common("evict2", "L2::evict_normal L2::evict_unchanged L2::evict_first L2::evict_last L2::evict_last_use");
    common("prefetchsize", "L2::64B L2::128B L2::256B");
    common("ldtype", "b8 u8 s8 b16 u16 s16 b32 u32 s32 f32 b64 u64 s64 f64 f16");
    common("atomop", "add min max and or xor exch inc dec");
    common("redop", "add min max and or xor inc dec");
    common("atomtype", "u32 s32 b32 u64 s64 b64 f32 f64 f16 f16x2 bf16 bf16x2 b16");
    common("bulkop", "add min max and or xor inc dec");
    common("bulktype", "f32 f16 bf16 u32 s32 u64 s64 f64 b32 b64");
    common("vote", "all any uni");
    common("ballot", "ballot");
    common("redux", "add min max");
    common("reduxbits", "and or xor");
    common("incdec", "inc dec");
    s["cmp"] = enumeration(Slot::Compare, "eq ne lt le gt ge lo ls hi hs equ neu ltu leu gtu geu num nan", Compare::Eq);
    s["bool"] = enumeration(Slot::Bool, "and or xor", BoolOp::And);
    s["shf"] = enumeration(Slot::Mode2, "wrap clamp", Mode::Wrap);
    s["shfl"] = enumeration(Slot::Mode, "up down bfly idx", Mode::Up);
    s["prmt"] = enumeration(Slot::Mode, "f4e b4e rc8 ecl ecr rc16", Mode::F4e);
    s["testp"] = enumeration(Slot::N, "finite infinite number notanumber normal subnormal", 1);
    s["vec"] = {keyword("v2", Slot::Vector, 2), keyword("v4", Slot::Vector, 4), keyword("v8", Slot::Vector, 8)};
    s["matrices"] = {keyword("x1", Slot::Vector, 1), keyword("x2", Slot::Vector, 2), keyword("x4", Slot::Vector, 4)};
    s["dims"] = enumeration(Slot::N, "1d 2d 3d 4d 5d", 1);
    s["membar"] = {keyword("cta", Slot::Scope, unsigned(Scope::Cta)), keyword("gl", Slot::Scope, unsigned(Scope::Gpu)),
                   keyword("sys", Slot::Scope, unsigned(Scope::Sys))};
    s["wgmma16"] = {keyword("k16", Slot::Wgmma, 16)};
    s["wgmma8"] = {keyword("k8", Slot::Wgmma, 8)};
    s["wgmma32"] = {keyword("k32", Slot::Wgmma, 32)};
    return s;
  }();
  return sets;
}

unsigned bitWidth(Type type) { return kTypes[unsigned(type)].bits; }
std::string_view name(Type type) { return kTypes[unsigned(type)].name; }
bool isSigned(Type type) { return (type >= Type::S8 && type <= Type::S64) || type == Type::S16x2; }
bool isFloat(Type type) { return type >= Type::F16 && type <= Type::E5M2x2; }
bool isUntyped(Type type) { return type >= Type::B8 && type <= Type::B128; }

Type typeByName(std::string_view name) {
  for (unsigned i = 1; i < std::size(kTypes); ++i)
    if (name == kTypes[i].name)
      return Type(i);
  return Type::None;
}

} // namespace attn::sim
