// SPDX-License-Identifier: Apache-2.0
// Writes the spec of a case: its types, the kernel line by line, and the functions that no library has.
#include "test/cases/SpecText.h"
#include "test/cases/FunctionUses.h"
#include "test/cases/ListMasks.h"

#include <fmt/format.h>

#include <algorithm>

namespace attn::cases {

namespace {

/// Hides every key whose number, moved by head and query, is 5 mod 8: nothing that a compiler could walk around.
constexpr const char *UserMaskText = R"(
func.func @comb(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %three = arith.constant 3 : index
  %seven = arith.constant 7 : index
  %five = arith.constant 5 : index
  %tripled = arith.muli %kv, %three : index
  %moved = arith.addi %tripled, %h : index
  %mixed = arith.subi %moved, %q : index
  %tooth = arith.andi %mixed, %seven : index
  %visible = arith.cmpi ne, %tooth, %five : index
  return %visible : i1
}
)";

/// Halves the score and adds a number per head and distance; distances beyond the table use its ends.
constexpr const char *UserScoreText = R"(
func.func @relative(%score: f32, %b: index, %h: index, %q: index, %kv: index, %table: tensor<?x?xf32>) -> f32 {{
  %zero = arith.constant 0 : index
  %last = arith.constant {last} : index
  %half = arith.constant 0.5 : f32
  %distance = arith.subi %q, %kv : index
  %positive = arith.maxsi %distance, %zero : index
  %place = arith.minsi %positive, %last : index
  %bias = tensor.extract %table[%h, %place] : tensor<?x?xf32>
  %scaled = arith.mulf %score, %half : f32
  %sum = arith.addf %scaled, %bias : f32
  return %sum : f32
}}
)";

/// Drops the weights that a hash of their place says, and multiplies the others by a number per head and key.
constexpr const char *ReweightText = R"(
func.func @thinned(%weight: f32, %b: index, %h: index, %q: index, %kv: index, %factors: tensor<?x?xf32>) -> f32 {{
  %none = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %size = arith.constant {size} : index
  %zero = arith.constant 0 : index
  %three = arith.constant 3 : index
  %moved = arith.addi %kv, %q : index
  %third = arith.remsi %moved, %three : index
  %dropped = arith.cmpi eq, %third, %zero : index
  %rest = arith.remsi %kv, %size : index
  %negative = arith.cmpi slt, %rest, %zero : index
  %place = arith.select %negative, %zero, %rest : index
  %factor = tensor.extract %factors[%h, %place] : tensor<?x?xf32>
  %scaled = arith.mulf %factor, %weight : f32
  %halved = arith.divf %scaled, %half : f32
  %kept = arith.select %dropped, %none, %halved : f32
  return %kept : f32
}}
)";

/// What is no factor: a product of the weight with itself.
constexpr const char *SquaredText = R"(
func.func @squared(%weight: f32, %b: index, %h: index, %q: index, %kv: index, %factors: tensor<?x?xf32>) -> f32 {{
  %size = arith.constant {size} : index
  %place = arith.remui %kv, %size : index
  %factor = tensor.extract %factors[%h, %place] : tensor<?x?xf32>
  %square = arith.mulf %weight, %weight : f32
  %scaled = arith.mulf %square, %factor : f32
  return %scaled : f32
}}
)";

/// Keys gain weight, those that had none too; some lose all of it. Hidden ones still have none.
constexpr const char *LiftedText = R"(
func.func @lifted(%weight: f32, %b: index, %h: index, %q: index, %kv: index, %factors: tensor<?x?xf32>) -> f32 {{
  %none = arith.constant 0.0 : f32
  %hundredth = arith.constant 0.01 : f32
  %size = arith.constant {size} : index
  %zero = arith.constant 0 : index
  %five = arith.constant 5 : index
  %row = attn.row
  %moved = arith.addi %kv, %row : index
  %fifth = arith.remui %moved, %five : index
  %dropped = arith.cmpi eq, %fifth, %zero : index
  %place = arith.remui %kv, %size : index
  %factor = tensor.extract %factors[%h, %place] : tensor<?x?xf32>
  %gain = arith.mulf %factor, %hundredth : f32
  %sum = arith.addf %weight, %gain : f32
  %kept = arith.select %dropped, %none, %sum : f32
  return %kept : f32
}}
)";

/// Which weights are added up. Of a row the first two say all.
constexpr const char *CountedText = R"(
func.func @counted(%b: index, %h: index, %q: index, %kv: index, %first: index) -> i1 {
  %row = attn.row
  %counts = arith.cmpi sge, %row, %first : index
  return %counts : i1
}
)";
constexpr const char *SampledText = R"(
func.func @sampled(%b: index, %h: index, %q: index, %kv: index, %rows: tensor<?xi32>) -> i1 {
  %row = attn.row
  %counts = attn.member %row of %rows : tensor<?xi32>
  return %counts : i1
}
)";
constexpr const char *CombedText = R"(
func.func @combed(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %three = arith.constant 3 : index
  %zero = arith.constant 0 : index
  %row = attn.row
  %column = attn.column
  %moved = arith.addi %column, %row : index
  %turned = arith.addi %moved, %h : index
  %rest = arith.remui %turned, %three : index
  %counts = arith.cmpi ne, %rest, %zero : index
  return %counts : i1
}
)";

struct Writer {
  const Case &c;
  const std::string &schedule;
  std::string text;
  std::string current; ///< the value that holds the scores as they stand now

  void line(const std::string &line) { text += line + "\n"; }

  void chain(const char *name, const std::string &rest) {
    std::string next = std::string("%") + name;
    line(fmt::format("  {} = attn.{}", next, rest));
    current = next;
  }

  static bool oneOf(std::string_view value, std::initializer_list<std::string_view> all) {
    return std::find(all.begin(), all.end(), value) != all.end();
  }
  bool packedQueries() const { return oneOf(c.value(QueryPlace), {"ragged", "packed_from", "packed_listed"}); }
  bool packedKeys() const { return oneOf(c.value(KeyPlace), {"ragged", "packed_listed"}); }
  bool inPages() const {
    return c.value(KeyPlace).starts_with("pages") || oneOf(c.value(KeyPlace), {"runs16", "page_entries", "joined"});
  }
  bool hasLens() const {
    return c.on(Lens) &&
           oneOf(c.value(KeyPlace), {"dense", "shared", "rows", "from", "listed", "listed_shared", "shared_listed"});
  }

  void data(const std::string &alias, const std::string &shape, int64_t heads, int64_t dim, const std::string &names,
            std::string_view type = {}) {
    line(fmt::format(
        "!{} = tensor<{}x{}x{}x{}{}>", alias, shape, heads, dim, type.empty() ? c.value(ElementType) : type,
        names.empty() ? ""
                      : fmt::format(", #attn.dims<{}, {}>", names,
                                    alias.front() == 'v' && c.headDim() != dim ? "head_dim_v" : "head_dim")));
  }

  void keys(const std::string &suffix, const std::string &shape, const std::string &names = {}) {
    std::string all = names.empty() ? "" : names + ", kv_heads";
    data("k" + suffix, shape, c.keyHeads(), c.headDim(), all);
    data("v" + suffix, shape, c.keyHeads(), c.valueDim(), all);
  }

  void types() {
    std::string_view place = c.value(KeyPlace);
    // A static size is at least 1.
    bool isStatic = c.is(Packed, "static") && c.queries() && !packedQueries();
    std::string rows = packedQueries() ? "?" : "?x" + (isStatic ? std::to_string(c.queries()) : "?");
    data("q", rows, c.heads(), c.headDim(), "");
    data("o", rows, c.heads(), c.valueDim(), "", c.outputType());
    bool other = oneOf(place, {"shared", "rows", "listed_shared", "shared_listed"}); // batches of their own
    if (packedKeys())
      keys("", "?");
    else if (inPages())
      keys("", fmt::format("?x{}", c.pageSize()));
    else
      keys("", "?x?", other ? "groups, seq_kv" : "");
    if (place == "joined") {
      keys("_prefix", "1x?", "one, seq_prefix");
      keys("_new", "?x?", "batch, seq_new");
    }
    if (c.is(Step, "append"))
      keys("_added", "?x?", "batch, seq_added");
    line(fmt::format("!lens = tensor<?xi32{}>", other ? ", #attn.dims<groups>" : ""));
    line("!each = tensor<?xi32>");
    line("!sampled = tensor<?xi32, #attn.dims<rows>>");
    line("!ends = tensor<?xi64>");
    line("!table_of = tensor<?x?xi32>");
    line("!of_groups = tensor<?x?xi32, #attn.dims<groups, seq_kv>>");
    line("!in_batch = tensor<?x?xi32, #attn.dims<batch, seq_kv>>");
    line("!runs = tensor<?x?x2xi32>");
    line("!row_of = tensor<?x?xi32, #attn.dims<batch, seq_kv>>");
    line(fmt::format("!per_head = tensor<{}xf32>", c.heads()));
    line(fmt::format("!table = tensor<{}x{}xf32>", c.heads(), TableSize));
    line(fmt::format("!lse = tensor<{}x{}xf32>", rows, c.heads()));
    bool known = !c.sumsDistances() && place == "dense";
    line(fmt::format("!sums = tensor<?x{}x{}>", c.heads(),
                     known ? "?xf32" : fmt::format("{}xf32, #attn.dims<batch, heads, cells>", c.cells())));
  }

  bool runTimeScale() const { return c.on(Scale) && !c.is(Scale, "static"); }

  /// What stands in schedule<...>; empty for nothing.
  std::string scheduleText() {
    std::string given = schedule;
    if (c.splits())
      given = fmt::format("decode, num_splits = {}, block_kv = 16", c.splits());
    if (c.streamK)
      given = "stream_k, block_kv = 16";
    if (c.is(Packed, "packed")) {
      int64_t group = c.heads() / c.keyHeads();
      // No warpgroups multiply tiles that a group does not divide: then nothing else can be asked for.
      given = fmt::format("{}packed = {}",
                          given.empty() || (!c.splits() && !c.streamK && 64 % group) ? "" : given + ", ", group);
    }
    return given;
  }

  /// The arguments of what changes scores and weights, and of what else a launch does.
  std::string parameters() {
    std::string all;
    if (runTimeScale())
      all += ", %scale: f32";
    if (c.on(Alibi))
      all += ", %slopes: !per_head";
    for (auto [on, name] : {std::pair(UserScore, "table"), std::pair(Reweight, "factors")})
      all += c.on(on) ? fmt::format(", %{}: !table", name) : "";
    if (c.on(Sink))
      all += ", %sink: !per_head";
    if (c.on(Listed))
      all += listMaskOf(c).parameters;
    if (sampled())
      all += ", %sampled: !sampled";
    if (c.on(MaskKind))
      all += maskUseOf(c).parameters;
    if (c.on(Bias))
      all += biasUseOf(c).parameters;
    if (c.is(Step, "append"))
      all += ", %k_added: !k_added, %v_added: !v_added";
    if (c.is(Step, "merge"))
      all += ", %other: !o, %other_lse: !lse";
    return all;
  }

  bool sampled() const { return oneOf(c.value(Sums), {"sampled", "alone_sampled"}); }

  /// The names of all results in a pattern each, with commas between.
  std::string results(const char *pattern) const {
    std::string all;
    for (auto [is, name] : {std::pair(!c.sumsAlone(), "o"), std::pair(c.on(Lse), "lse"), std::pair(c.on(Sums), "sums")})
      if (is)
        all += (all.empty() ? "" : ", ") + fmt::format(fmt::runtime(pattern), name);
    return all;
  }

  void sums() {
    std::string by;
    if (sampled())
      by = " by @sampled (%sampled : !sampled)";
    else if (oneOf(c.value(Sums), {"counted", "alone", "near"}))
      by = " by @counted (%counted : index)";
    else if (c.is(Sums, "combed"))
      by = " by @combed";
    if (by.find("counted") != by.npos)
      line("  %counted = arith.constant 40 : index");
    line(fmt::format("  %sums = attn.sums %p per {}{} -> !sums", c.sumsDistances() ? "distance" : "key", by));
  }

  void signature() {
    std::string Arguments = "%q: !q, %k: !k, %v: !v";
    std::string_view place = c.value(KeyPlace);
    if (hasLens())
      Arguments += ", %kv_lens: !lens";
    if (packedKeys())
      Arguments += ", %kv_ends: !each";
    if (inPages())
      Arguments += fmt::format(", %pages: {}, %used: !each", place == "runs16" ? "!runs" : "!table_of");
    if (place == "joined")
      Arguments += ", %k_prefix: !k_prefix, %v_prefix: !v_prefix, %k_new: !k_new, %v_new: !v_new";
    if (oneOf(place, {"rows", "listed_shared"}))
      Arguments += ", %row_of: !each";
    if (oneOf(place, {"entries", "page_entries", "listed_entries"}))
      Arguments += ", %row_of: !row_of";
    if (place == "from")
      Arguments += ", %kv_first: !each";
    if (place.find("listed") != place.npos)
      Arguments += ", %kv_positions: " + positionsType();
    if (packedQueries())
      Arguments += ", %q_ends: !ends";
    if (oneOf(c.value(QueryPlace), {"from", "packed_from"}))
      Arguments += ", %q_first: !each";
    if (c.is(QueryPlace, "listed"))
      Arguments += ", %q_positions: !table_of";
    if (c.is(QueryPlace, "packed_listed"))
      Arguments += ", %q_positions: !each";
    Arguments += parameters();
    std::string given = scheduleText();
    std::string with = given.empty() ? "" : fmt::format(" schedule<{}>", given);
    line(fmt::format("attn.kernel @case({}) -> ({}){} {{", Arguments, results("{0}: !{0}"), with));
  }

  void scores() {
    if (c.is(Scale, "static"))
      line(fmt::format("  %scale = arith.constant {} : f32", StaticScale));
    std::string query = "%q", queryType = "!q";
    auto placeQuery = [&](const std::string &how) {
      line("  %queries = attn." + how);
      query = "%queries", queryType = "!attn.seq";
    };
    if (packedQueries())
      placeQuery("ragged %q[%q_ends] : !q [!ends]");
    if (c.is(QueryPlace, "from"))
      placeQuery("at %q from %q_first : !q from !each");
    if (c.is(QueryPlace, "listed"))
      placeQuery("at %q[%q_positions] : !q [!table_of]");
    if (c.is(QueryPlace, "packed_from")) {
      line("  %placed = attn.at %queries from %q_first : !attn.seq from !each");
      query = "%placed";
    }
    if (c.is(QueryPlace, "packed_listed")) {
      line("  %placed = attn.at %queries[%q_positions] : !attn.seq [!each]");
      query = "%placed";
    }
    std::string keys = "%k", keysType = "!k";
    if (isSequence()) {
      placeKeys();
      if (c.is(Step, "append")) {
        line("  %added = attn.dense %k_added, %v_added : !k_added, !v_added");
        line("  attn.append %added to %kv : !attn.seq");
      }
      keys = "%kv", keysType = "!attn.seq";
    }
    chain("s", fmt::format("scores {}, {}{}{} : {}, {}", query, keys, c.on(Scale) ? " scale %scale" : "",
                           c.is(Align, "start") ? " align start" : "", queryType, keysType));
  }

  std::string positionsType() const {
    std::string_view place = c.value(KeyPlace);
    return place == "packed_listed"   ? "!each"
           : place == "listed_shared" ? "!of_groups"
           : place == "shared_listed" ? "!in_batch"
                                      : "!table_of";
  }

  bool isSequence() const { return c.on(KeyPlace) || hasLens() || c.sumsAlone() || c.is(Step, "append"); }

  /// Defines %kv.
  void placeKeys() {
    std::string_view place = c.value(KeyPlace);
    std::string dense = hasLens() ? "attn.dense %k, %v[%kv_lens] : !k, !v [!lens]" : "attn.dense %k, %v : !k, !v";
    std::string pages =
        fmt::format("attn.pages %k, %v[%pages, %used] : !k, !v [{}, !each]", place == "runs16" ? "!runs" : "!table_of");
    std::string listed = "[%kv_positions] : !attn.seq [" + positionsType() + "]";
    if (place == "ragged")
      return line("  %kv = attn.ragged %k, %v[%kv_ends] : !k, !v [!each]");
    if (place == "packed_listed") {
      line("  %held = attn.ragged %k, %v[%kv_ends] : !k, !v [!each]");
      return line("  %kv = attn.at %held" + listed);
    }
    if (place == "dense")
      return line("  %kv = " + dense);
    if (place == "joined") {
      line("  %prompt = attn.dense %k_prefix, %v_prefix : !k_prefix, !v_prefix");
      line("  %prefix = attn.share %prompt");
      line("  %cache = " + pages);
      line("  %new = attn.dense %k_new, %v_new : !k_new, !v_new");
      return line("  %kv = attn.concat %prefix, %cache, %new");
    }
    if (inPages() && place != "page_entries")
      return line("  %kv = " + pages);
    line("  %held = " + (place == "page_entries" ? pages : dense));
    if (oneOf(place, {"listed_shared", "listed_entries"})) {
      line("  %placed_keys = attn.at %held" + listed);
      return line(place == "listed_shared" ? "  %kv = attn.share %placed_keys[%row_of] : [!each]"
                                           : "  %kv = attn.share %placed_keys[%row_of] : [!row_of]");
    }
    if (place == "shared_listed") {
      line("  %ours = attn.share %held");
      return line("  %kv = attn.at %ours" + listed);
    }
    line(place == "shared"   ? "  %kv = attn.share %held"
         : place == "rows"   ? "  %kv = attn.share %held[%row_of] : [!each]"
         : place == "from"   ? "  %kv = attn.at %held from %kv_first : !attn.seq from !each"
         : place == "listed" ? "  %kv = attn.at %held" + listed
                             : "  %kv = attn.share %held[%row_of] : [!row_of]");
  }

  /// One function follows the masks: what is hidden must stay hidden whatever becomes of its score.
  void changes() {
    if (c.on(Softcap)) {
      line(fmt::format("  %cap = arith.constant {:.1f} : f32", SoftcapAt));
      chain("capped", fmt::format("modify {} by @softcap(%cap) : f32", current));
    }
    if (c.on(Alibi))
      chain("sloped", fmt::format("modify {} by @alibi(%slopes) : !per_head", current));
    if (c.on(Causal))
      chain("past", fmt::format("mask {} by @causal", current));
    if (c.on(Window)) {
      line(fmt::format("  %window_left = arith.constant {} : index", WindowLeft));
      chain("near", fmt::format("mask {} by @sliding_window(%window_left) : index", current));
    }
    if (c.on(UserMask))
      chain("combed", fmt::format("mask {} by @comb", current));
    if (c.on(MaskKind)) {
      text += maskUseOf(c).before;
      chain("open", "mask " + current + " by " + maskUseOf(c).call);
    }
    if (c.on(Bias))
      chain("shifted", "modify " + current + " by " + biasUseOf(c).call);
    if (c.on(Listed))
      chain("seen", fmt::format("mask {} by {}", current, listMaskOf(c).line));
    if (c.on(UserScore))
      chain("biased", fmt::format("modify {} by @relative(%table) : !table", current));
  }

  void rest() {
    bool merges = c.is(Step, "merge"), lse = c.on(Lse) || merges;
    line(fmt::format("  %p{} = attn.softmax {}{}{}", lse ? ", %lse" : "", current,
                     c.on(Sink) ? " sink %sink : !per_head" : "", lse ? " -> !lse" : ""));
    if (c.on(Reweight))
      line(fmt::format("  %w = attn.reweight %p by @{}(%factors) : !table",
                       c.is(Reweight, "reweight") ? "thinned" : c.value(Reweight)));
    bool sequence = isSequence();
    if (c.on(Sums))
      sums();
    if (!c.sumsAlone())
      line(fmt::format("  %o = attn.output {}, {} : {} -> !o", c.on(Reweight) ? "%w" : "%p", sequence ? "%kv" : "%v",
                       sequence ? "!attn.seq" : "!v"));
    if (merges)
      line("  %merged = attn.merge %o, %other lse %lse, %other_lse : (!o, !o, !lse, !lse) -> !o");
    std::string values = results("%{}");
    if (merges)
      values.replace(0, 2, "%merged");
    line(fmt::format("  attn.return {} : {}", values, results("!{}")));
    line("}");
    if (c.on(Sums))
      text += std::string(CountedText) + SampledText + CombedText;
    if (c.on(UserMask))
      text += UserMaskText;
    if (c.on(Listed))
      text += listMaskOf(c).function;
    if (c.on(MaskKind))
      text += maskUseOf(c).function;
    if (c.on(Bias))
      text += biasUseOf(c).function;
    if (c.on(Reweight))
      text += fmt::format(fmt::runtime(c.is(Reweight, "squared")  ? SquaredText
                                       : c.is(Reweight, "lifted") ? LiftedText
                                                                  : ReweightText),
                          fmt::arg("size", TableSize));
    if (c.on(UserScore))
      text += fmt::format(fmt::runtime(UserScoreText), fmt::arg("last", TableSize - 1));
  }
};

} // namespace

std::string specText(const Case &c, const std::string &schedule) {
  Writer w{c, schedule, {}, {}};
  w.types();
  w.signature();
  w.scores();
  w.changes();
  w.rest();
  return w.text;
}

} // namespace attn::cases
