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
  const Case &C;
  std::string Text;
  std::string Scores; ///< the value that holds the scores as they stand now

  void line(const std::string &Line) { Text += Line + "\n"; }

  void chain(const char *Name, const std::string &Rest) {
    std::string Next = std::string("%") + Name;
    line(fmt::format("  {} = attn.{}", Next, Rest));
    Scores = Next;
  }

  void types() {
    auto Tensor = [&](const char *Alias, int64_t Heads, int64_t Dim) {
      line(fmt::format("!{} = tensor<?x?x{}x{}x{}>", Alias, Heads, Dim, C.value(ElementType)));
    };
    Tensor("q", C.heads(), C.headDim());
    Tensor("k", C.keyHeads(), C.headDim());
    Tensor("v", C.keyHeads(), C.valueDim());
    Tensor("o", C.heads(), C.valueDim());
    line("!lens = tensor<?xi32>");
    line(fmt::format("!per_head = tensor<{}xf32>", C.heads()));
    line(fmt::format("!table = tensor<{}x{}xf32>", C.heads(), TableSize));
    line(fmt::format("!lse = tensor<?x?x{}xf32>", C.heads()));
  }

  bool runTimeScale() const { return C.on(Scale) && !C.is(Scale, "static"); }

  void signature() {
    std::string Arguments = "%q: !q, %k: !k, %v: !v";
    if (C.on(Lens))
      Arguments += ", %kv_lens: !lens";
    if (runTimeScale())
      Arguments += ", %scale: f32";
    if (C.on(Alibi))
      Arguments += ", %slopes: !per_head";
    if (C.on(UserScore))
      Arguments += ", %table: !table";
    if (C.on(Sink))
      Arguments += ", %sink: !per_head";
    line(fmt::format("attn.kernel @case({}) -> (o: !o{}) {{", Arguments, C.on(Lse) ? ", lse: !lse" : ""));
  }

  void scores() {
    if (C.is(Scale, "static"))
      line(fmt::format("  %scale = arith.constant {} : f32", StaticScale));
    std::string Keys = "%k", KeysType = "!k";
    if (C.on(Lens)) {
      line("  %kv = attn.dense %k, %v[%kv_lens] : !k, !v [!lens]");
      Keys = "%kv", KeysType = "!attn.seq";
    }
    chain("s", fmt::format("scores %q, {}{}{} : !q, {}", Keys, C.on(Scale) ? " scale %scale" : "",
                           C.is(Align, "start") ? " align start" : "", KeysType));
  }

  /// One function follows the masks: what is hidden must stay hidden whatever becomes of its score.
  void changes() {
    if (C.on(Softcap)) {
      line(fmt::format("  %cap = arith.constant {:.1f} : f32", SoftcapAt));
      chain("capped", fmt::format("modify {} by @softcap(%cap) : f32", Scores));
    }
    if (C.on(Alibi))
      chain("sloped", fmt::format("modify {} by @alibi(%slopes) : !per_head", Scores));
    if (C.on(Causal))
      chain("past", fmt::format("mask {} by @causal", Scores));
    if (C.on(Window)) {
      line(fmt::format("  %window_left = arith.constant {} : index", WindowLeft));
      chain("near", fmt::format("mask {} by @sliding_window(%window_left) : index", Scores));
    }
    if (C.on(UserMask))
      chain("combed", fmt::format("mask {} by @comb", Scores));
    if (C.on(UserScore))
      chain("biased", fmt::format("modify {} by @relative(%table) : !table", Scores));
  }

  void rest() {
    line(fmt::format("  %p{} = attn.softmax {}{}{}", C.on(Lse) ? ", %lse" : "", Scores,
                     C.on(Sink) ? " sink %sink : !per_head" : "", C.on(Lse) ? " -> !lse" : ""));
    bool Sequence = C.on(Lens);
    line(fmt::format("  %o = attn.output %p, {} : {} -> !o", Sequence ? "%kv" : "%v", Sequence ? "!attn.seq" : "!v"));
    line(C.on(Lse) ? "  attn.return %o, %lse : !o, !lse" : "  attn.return %o : !o");
    line("}");
    if (C.on(UserMask))
      Text += UserMaskText;
    if (C.on(UserScore))
      Text += fmt::format(fmt::runtime(UserScoreText), fmt::arg("last", TableSize - 1));
  }
};

} // namespace

std::string specText(const Case &C) {
  Writer W{C, {}, {}};
  W.types();
  W.signature();
  W.scores();
  W.changes();
  W.rest();
  return W.Text;
}

} // namespace attn::cases
