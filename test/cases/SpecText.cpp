// SPDX-License-Identifier: Apache-2.0
// Writes the spec of a case: its types, the kernel line by line, and the functions that no library has.
#include "test/cases/SpecText.h"

#include <fmt/format.h>

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

  void types() {
    auto tensor = [&](const char *alias, const std::string &tokens, int64_t Heads, int64_t dim) {
      line(fmt::format("!{} = tensor<?x{}x{}x{}x{}>", alias, tokens, Heads, dim, c.value(ElementType)));
    };
    // A static size is at least 1.
    std::string tokens = c.is(Packed, "static") && c.queries() ? std::to_string(c.queries()) : "?";
    tensor("q", tokens, c.heads(), c.headDim());
    tensor("k", "?", c.keyHeads(), c.headDim());
    tensor("v", "?", c.keyHeads(), c.valueDim());
    tensor("o", tokens, c.heads(), c.valueDim());
    line("!lens = tensor<?xi32>");
    line(fmt::format("!per_head = tensor<{}xf32>", c.heads()));
    line(fmt::format("!table = tensor<{}x{}xf32>", c.heads(), TableSize));
    line(fmt::format("!lse = tensor<?x{}x{}xf32>", tokens, c.heads()));
  }

  bool runTimeScale() const { return c.on(Scale) && !c.is(Scale, "static"); }

  void signature() {
    std::string Arguments = "%q: !q, %k: !k, %v: !v";
    if (c.on(Lens))
      Arguments += ", %kv_lens: !lens";
    if (runTimeScale())
      Arguments += ", %scale: f32";
    if (c.on(Alibi))
      Arguments += ", %slopes: !per_head";
    if (c.on(UserScore))
      Arguments += ", %table: !table";
    if (c.on(Sink))
      Arguments += ", %sink: !per_head";
    std::string given = schedule;
    if (c.is(Packed, "packed"))
      given += fmt::format("{}packed = {}", given.empty() ? "" : ", ", c.heads() / c.keyHeads());
    std::string with = given.empty() ? "" : fmt::format(" schedule<{}>", given);
    line(fmt::format("attn.kernel @case({}) -> (o: !o{}){} {{", Arguments, c.on(Lse) ? ", lse: !lse" : "", with));
  }

  void scores() {
    if (c.is(Scale, "static"))
      line(fmt::format("  %scale = arith.constant {} : f32", StaticScale));
    std::string keys = "%k", keysType = "!k";
    if (c.on(Lens)) {
      line("  %kv = attn.dense %k, %v[%kv_lens] : !k, !v [!lens]");
      keys = "%kv", keysType = "!attn.seq";
    }
    chain("s", fmt::format("scores %q, {}{}{} : !q, {}", keys, c.on(Scale) ? " scale %scale" : "",
                           c.is(Align, "start") ? " align start" : "", keysType));
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
    if (c.on(UserScore))
      chain("biased", fmt::format("modify {} by @relative(%table) : !table", current));
  }

  void rest() {
    line(fmt::format("  %p{} = attn.softmax {}{}{}", c.on(Lse) ? ", %lse" : "", current,
                     c.on(Sink) ? " sink %sink : !per_head" : "", c.on(Lse) ? " -> !lse" : ""));
    bool sequence = c.on(Lens);
    line(fmt::format("  %o = attn.output %p, {} : {} -> !o", sequence ? "%kv" : "%v", sequence ? "!attn.seq" : "!v"));
    line(c.on(Lse) ? "  attn.return %o, %lse : !o, !lse" : "  attn.return %o : !o");
    line("}");
    if (c.on(UserMask))
      text += UserMaskText;
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
