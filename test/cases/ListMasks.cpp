// SPDX-License-Identifier: Apache-2.0
// Columns, diagonals, blocks, ranges and kinds of heads.
#include "test/cases/ListMasks.h"
#include "test/cases/Noise.h"

#include <fmt/format.h>

#include <algorithm>

namespace attn::cases {

namespace {

/// Rows and numbers that lists are made for: all lengths of these cases lie below.
constexpr int64_t Reach = 640;
/// Neither divides a tile nor is divided by one; and the size that others have.
constexpr int64_t OddBlock = 40, Block = 64;
constexpr int64_t MostRanges = 3;

struct Argument {
  std::string name;
  std::vector<int64_t> shape; ///< of the tensor that is made
  std::string type;
};

std::string perHead(const Case &c, const char *rest) { return fmt::format("tensor<?x{}x?{}xi32>", c.heads(), rest); }

/// "%a, %b : tensor<...>, tensor<...>" of the arguments.
std::string given(const std::vector<Argument> &arguments) {
  std::string names, types;
  for (const Argument &argument : arguments) {
    names += fmt::format("{}%{}", names.empty() ? "" : ", ", argument.name);
    types += fmt::format("{}{}", types.empty() ? "" : ", ", argument.type);
  }
  return fmt::format("({}) : {}", names, types);
}

std::string named(const std::string &type, const std::string &dims) {
  return type.substr(0, type.size() - 1) + ", #attn.dims<" + dims + ">>";
}

std::vector<Argument> argumentsOf(const Case &c) {
  int64_t batch = c.batch(), heads = c.heads();
  int64_t odd = (Reach + OddBlock - 1) / OddBlock, blocks = Reach / Block;
  Argument columns{"columns", {batch, heads, Reach / 2}, named(perHead(c, ""), "batch, heads, most_columns")};
  Argument columnCount{
      "column_count", {batch, heads}, fmt::format("tensor<?x{}xi32, #attn.dims<batch, heads>>", heads)};
  Argument slashes{"slashes", {heads, 24}, fmt::format("tensor<{}x?xi32, #attn.dims<heads, most_slashes>>", heads)};
  Argument slashCount{"slash_count", {heads}, fmt::format("tensor<{}xi32>", heads)};
  auto blockList = [&](const char *name, int64_t of) {
    return Argument{name, {batch, heads, of, of}, named(perHead(c, "x?"), "batch, heads, q_blocks, kv_blocks")};
  };
  auto blockCount = [&](const char *name, int64_t of) {
    return Argument{name, {batch, heads, of}, named(perHead(c, ""), "batch, heads, q_blocks")};
  };
  if (c.is(Listed, "columns") || c.is(Listed, "not_columns"))
    return {columns, columnCount};
  if (c.is(Listed, "slashes"))
    return {slashes, slashCount};
  if (c.is(Listed, "stripes"))
    return {columns, columnCount, slashes, slashCount};
  if (c.is(Listed, "blocks"))
    return {blockList("full", odd), blockCount("full_count", odd), blockList("part", odd),
            blockCount("part_count", odd)};
  if (c.is(Listed, "csr"))
    return {{"block_ends", {blocks + 1}, "tensor<?xi32, #attn.dims<block_ends>>"},
            {"blocks", {blocks * blocks}, "tensor<?xi64, #attn.dims<listed_blocks>>"}};
  if (c.is(Listed, "spans"))
    return {
        {"spans", {batch, Reach, MostRanges, 2}, "tensor<?x?x?x2xi32, #attn.dims<batch, most_rows, most_spans, ends>>"},
        {"span_count", {batch, Reach}, "tensor<?x?xi32, #attn.dims<batch, most_rows>>"}};
  return {{"kinds", {heads}, fmt::format("tensor<{}xi32>", heads)},
          blockList("part", blocks),
          blockCount("part_count", blocks)};
}

/// The numbers of the blocks of a pair.
std::string numbers(int64_t size) {
  return fmt::format("  %size = arith.constant {} : index\n  %row = attn.row\n"
                     "  %i = arith.floordivsi %row, %size : index\n  %j = arith.floordivsi %kv, %size : index\n",
                     size);
}

/// The lines of the function, and the value that it returns. `blocks` are two lists of odd blocks, `csr` rows one
/// behind the other, `kinds` heads with blocks and without.
std::pair<std::string, std::string> bodyOf(const Case &c) {
  const char *column = "  %column = attn.member %kv of %columns[%b, %h] count %column_count : tensor<?x?x?xi32> count "
                       "tensor<?x?xi32>\n";
  const char *slash = "  %distance = arith.subi %q, %kv : index\n"
                      "  %slash = attn.member %distance of %slashes[%h] count %slash_count : tensor<?x?xi32> count "
                      "tensor<?xi32>\n";
  auto block = [](const char *name) {
    return fmt::format("  %in_{0} = attn.member %j of %{0}[%b, %h, %i] count %{0}_count : tensor<?x?x?x?xi32> count "
                       "tensor<?x?x?xi32>\n",
                       name);
  };
  std::string body, result = "%visible";
  if (c.is(Listed, "columns"))
    body = column, result = "%column";
  else if (c.is(Listed, "not_columns"))
    body = std::string(column) + "  %yes = arith.constant true\n  %visible = arith.xori %column, %yes : i1\n";
  else if (c.is(Listed, "slashes"))
    body = slash, result = "%slash";
  else if (c.is(Listed, "stripes"))
    body = std::string(column) + slash +
           "  %width = arith.constant 20 : index\n  %near = arith.cmpi slt, %distance, %width : index\n"
           "  %stripe = arith.ori %column, %slash : i1\n  %visible = arith.ori %stripe, %near : i1\n";
  else if (c.is(Listed, "blocks"))
    body = numbers(OddBlock) + block("full") + block("part") +
           "  %past = arith.cmpi sle, %kv, %q : index\n  %edge = arith.andi %in_part, %past : i1\n"
           "  %visible = arith.ori %in_full, %edge : i1\n";
  else if (c.is(Listed, "csr"))
    body = numbers(Block) +
           "  %visible = attn.member %j of %blocks[%i] rows %block_ends : tensor<?xi64> rows tensor<?xi32>\n";
  else if (c.is(Listed, "spans"))
    body =
        "  %row = attn.row\n  %visible = attn.member %kv of %spans[%b, %row] count %span_count : tensor<?x?x?x2xi32> "
        "count tensor<?x?xi32>\n";
  else
    body = "  %kind = tensor.extract %kinds[%h] : tensor<?xi32>\n  %zero = arith.constant 0 : i32\n"
           "  %dense = arith.cmpi eq, %kind, %zero : i32\n" +
           numbers(Block) + block("part") + "  %visible = arith.ori %dense, %in_part : i1\n";
  return {body, result};
}

std::string functionOf(const Case &c) {
  std::string parameters, head = "func.func @by_lists(%b: index, %h: index, %q: index, %kv: index";
  for (const Argument &argument : argumentsOf(c)) {
    std::string dims;
    for (size_t i = 0; i != argument.shape.size(); ++i)
      dims += i + 1 == argument.shape.size() && argument.name == "spans" ? "2x" : "?x";
    parameters += fmt::format(", %{}: tensor<{}{}>", argument.name, dims, argument.name == "blocks" ? "i64" : "i32");
  }
  auto [body, result] = bodyOf(c);
  return fmt::format("\n{}{}) -> i1 {{\n{}  return {} : i1\n}}\n", head, parameters, body, result);
}

/// Fills rows of increasing numbers below `limit`, each with a probability of its row's own: 0 and 1 among them.
class ListMaker {
public:
  ListMaker(const Case &c, Arguments &all) : noise(c.seed() ^ 0x5bd1e995u), all(all) {}

  std::vector<int64_t> numbers(int64_t limit, size_t most) {
    constexpr int64_t percents[] = {0, 3, 10, 30, 100};
    int64_t percent = percents[noise.below(5)];
    std::vector<int64_t> chosen;
    for (int64_t i = 0; i != limit && chosen.size() != most; ++i)
      if (noise.below(100) < percent)
        chosen.push_back(i);
    return chosen;
  }

  /// One tensor of rows and one of their counts.
  void counted(const Argument &list, const Argument &count, int64_t limit) {
    PlacedTensor entries = integers(list), counts = integers(count);
    forEachIndex(count.shape, [&](std::vector<int64_t> at) {
      std::vector<int64_t> row = numbers(limit, static_cast<size_t>(list.shape.back()));
      counts.set(counts.place(at), static_cast<double>(row.size()));
      at.push_back(0);
      for (at.back() = 0; at.back() != list.shape.back(); ++at.back()) {
        size_t i = static_cast<size_t>(at.back());
        entries.set(entries.place(at), i < row.size() ? static_cast<double>(row[i]) : 2147480000.0);
      }
    });
    all.inputs.push_back(std::move(entries));
    all.inputs.push_back(std::move(counts));
  }

  void packed(const Argument &ends, const Argument &list, int64_t limit) {
    PlacedTensor starts = integers(ends), entries = integers(list);
    int64_t end = 0;
    for (int64_t row = 0; row != ends.shape[0]; ++row) {
      starts.set(starts.place({row}), static_cast<double>(end));
      if (row + 1 != ends.shape[0])
        for (int64_t number : numbers(limit, static_cast<size_t>(limit)))
          entries.set(entries.place({end++}), static_cast<double>(number));
    }
    all.inputs.push_back(std::move(starts));
    all.inputs.push_back(std::move(entries));
  }

  /// Ranges that begin one behind the other; some are empty, some overlap.
  void ranges(const Argument &list, const Argument &count) {
    PlacedTensor entries = integers(list), counts = integers(count);
    forEachIndex(count.shape, [&](const std::vector<int64_t> &at) {
      int64_t used = noise.below(MostRanges + 1), from = noise.below(30);
      counts.set(counts.place(at), static_cast<double>(used));
      for (int64_t i = 0; i != MostRanges; ++i, from += 1 + noise.below(90)) {
        int64_t to = from + (noise.below(4) ? noise.below(120) : 0);
        entries.set(entries.place({at[0], at[1], i, 0}), i < used ? static_cast<double>(from) : 2147480000.0);
        entries.set(entries.place({at[0], at[1], i, 1}), i < used ? static_cast<double>(to) : -2147480000.0);
      }
    });
    all.inputs.push_back(std::move(entries));
    all.inputs.push_back(std::move(counts));
  }

  void kinds(const Argument &argument) {
    PlacedTensor tensor = integers(argument);
    for (int64_t h = 0; h != argument.shape[0]; ++h)
      tensor.set(tensor.place({h}), static_cast<double>(noise.below(2)));
    all.inputs.push_back(std::move(tensor));
  }

private:
  static PlacedTensor integers(const Argument &argument) {
    std::vector<int64_t> strides(argument.shape.size(), 1);
    for (size_t i = argument.shape.size(); i-- > 1;)
      strides[i - 1] = strides[i] * argument.shape[i];
    return PlacedTensor(argument.name, argument.name == "blocks" ? DType::I64 : DType::I32, argument.shape, strides);
  }

  Noise noise;
  Arguments &all;
};

} // namespace

ListMask listMaskOf(const Case &c) {
  ListMask mask;
  for (const Argument &argument : argumentsOf(c))
    mask.parameters += fmt::format(", %{}: {}", argument.name, argument.type);
  mask.line = "@by_lists" + given(argumentsOf(c));
  mask.function = functionOf(c);
  return mask;
}

void addLists(const Case &c, Arguments &all) {
  ListMaker maker(c, all);
  std::vector<Argument> lists = argumentsOf(c);
  size_t first = 0;
  if (lists[0].name == "kinds") {
    maker.kinds(lists[0]);
    first = 1;
  }
  if (lists[0].name == "block_ends")
    return maker.packed(lists[0], lists[1], Reach / Block);
  if (lists[0].name == "spans")
    return maker.ranges(lists[0], lists[1]);
  for (size_t i = first; i < lists.size(); i += 2) {
    bool blocks = lists[i].shape.size() == 4;
    // Keys may stand at positions far behind their number.
    maker.counted(lists[i], lists[i + 1], blocks ? lists[i].shape.back() : lists[i].name == "slashes" ? 90 : Reach);
  }
}

} // namespace attn::cases
