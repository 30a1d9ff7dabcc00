// SPDX-License-Identifier: Apache-2.0
// Compiles the rows of the instruction table and matches forms against them.
#include "runtime/sim/Table.h"
#include "runtime/sim/Form.h"
#include "runtime/sim/Keywords.h"

#include <algorithm>
#include <unordered_map>

namespace attn::sim {

std::vector<TableRow> buildRows(); // Rows.cpp

namespace {

//===-- Compiled rows ------------------------------------------------------------------------------------------------

struct Group {
  bool optional = false;
  int unordered = -1; // groups of the same number may come in any order
  std::vector<Keyword> keywords;
};

struct CompiledRow {
  const TableRow *row = nullptr;
  std::vector<std::string_view> name;
  std::vector<Group> groups;
  std::vector<OperandItem> items;
};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    size_t end = text.find(separator);
    if (end != 0)
      parts.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return parts;
}

Group compileGroup(std::string_view text) {
  Group group;
  if (text[0] == '?') {
    group.optional = true;
    text.remove_prefix(1);
  }
  for (std::string_view word : split(text, '|')) {
    if (word[0] == '@') {
      const auto &set = keywordSets().at(word.substr(1));
      group.keywords.insert(group.keywords.end(), set.begin(), set.end());
      continue;
    }
    auto known = commonKeywords().find(word);
    group.keywords.push_back(known == commonKeywords().end() ? ignoredKeyword(word) : known->second);
  }
  return group;
}

std::vector<Group> compileGroups(std::string_view text) {
  std::vector<Group> groups;
  int sets = -1;
  bool inside = false;
  for (std::string_view word : split(text, ' ')) {
    if (word[0] == '(') {
      inside = true;
      ++sets;
      word.remove_prefix(1);
    }
    const bool closes = word.back() == ')';
    if (closes)
      word.remove_suffix(1);
    groups.push_back(compileGroup(word));
    groups.back().unordered = inside ? sets : -1;
    inside = inside && !closes;
  }
  return groups;
}

/// "a", "b?:b64", "e!:u32": the letter, its marks and its type.
void compileScalar(std::string_view text, char &letter, bool &optional, bool *constant, std::string &type) {
  letter = text[0];
  type = "t0";
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '?')
      optional = true;
    else if (text[i] == '!')
      *constant = true;
    else if (text[i] == ':')
      return void(type = std::string(text.substr(i + 1)));
  }
}

OperandItem compileItem(std::string_view text) {
  OperandItem item;
  switch (text[0]) {
  case 'S':
    item.kind = OperandItem::SpecialRegister;
    item.letter = 'a';
    return item;
  case 'F':
    item.kind = OperandItem::FrameVariable;
    item.letter = 'a';
    return item;
  case 'L':
    item.kind = OperandItem::LabelTarget;
    return item;
  case 'T':
    item.kind = OperandItem::LabelTable;
    return item;
  case 'C':
    item.kind = OperandItem::Call;
    return item;
  case 'I':
    item.kind = OperandItem::Flag;
    item.letter = text[1];
    return item;
  case '[':
    item.kind = OperandItem::Address;
    item.letter = text[1];
    item.coordinates = text.find('{') != std::string_view::npos;
    item.count = 'n';
    return item;
  case '{': {
    item.kind = OperandItem::Vector;
    size_t end = text.find('}');
    compileScalar(text.substr(1, end - 1), item.letter, item.optional, &item.constant, item.type);
    item.count = text[end + 2];
    return item;
  }
  default:
    break;
  }
  size_t bar = text.find('|');
  compileScalar(text.substr(0, bar), item.letter, item.optional, &item.constant, item.type);
  if (bar != std::string_view::npos)
    compileScalar(text.substr(bar + 1), item.second, item.secondOptional, &item.constant, item.secondType);
  return item;
}

std::vector<OperandItem> compileItems(std::string_view text) {
  std::vector<OperandItem> items;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && (text[i] == '[' || text[i] == '{'))
      ++depth;
    if (i < text.size() && (text[i] == ']' || text[i] == '}'))
      --depth;
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      if (i > begin)
        items.push_back(compileItem(text.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  return items;
}

const std::vector<CompiledRow> &compiled() {
  static const auto rows = [] {
    std::vector<CompiledRow> result;
    for (const TableRow &row : table())
      result.push_back({&row, split(row.name, '.'), compileGroups(row.modifiers), compileItems(row.operands)});
    return result;
  }();
  return rows;
}

/// Rows by the first word of their name.
const std::unordered_map<std::string_view, std::vector<const CompiledRow *>> &rowsByWord() {
  static const auto map = [] {
    std::unordered_map<std::string_view, std::vector<const CompiledRow *>> m;
    for (const CompiledRow &row : compiled())
      m[row.name[0]].push_back(&row);
    return m;
  }();
  return map;
}

//===-- Matching -----------------------------------------------------------------------------------------------------

/// "m64n128k16" with the k the keyword demands; 0 if it is none.
unsigned wgmmaN(std::string_view word, unsigned k) {
  if (word.substr(0, 4) != "m64n")
    return 0;
  unsigned n = 0;
  size_t i = 4;
  for (; i < word.size() && i < 8 && word[i] >= '0' && word[i] <= '9'; ++i)
    n = n * 10 + unsigned(word[i] - '0');
  return word.substr(i) == "k" + std::to_string(k) && n >= 8 && n <= 256 && n % 8 == 0 ? n : 0;
}

bool apply(Form &form, const Keyword &k, std::string_view word, unsigned &types, bool &space) {
  switch (k.slot) {
  case Slot::Ignored:
    break;
  case Slot::Type:
    form.types[types++ & 3] = Type(k.value);
    break;
  case Slot::Space:
    (space ? form.source : form.space) = Space(k.value);
    space = true;
    break;
  case Slot::Scope:
    form.scope = Scope(k.value);
    break;
  case Slot::Semantics:
    form.semantics = Semantics(k.value);
    break;
  case Slot::Rounding:
    form.rounding = Rounding(k.value);
    break;
  case Slot::Compare:
    form.compare = Compare(k.value);
    break;
  case Slot::Bool:
    form.boolOp = BoolOp(k.value);
    break;
  case Slot::Reduce:
    form.reduce = Reduce(k.value);
    break;
  case Slot::Mode:
    form.mode = Mode(k.value);
    break;
  case Slot::Mode2:
    form.mode2 = Mode(k.value);
    break;
  case Slot::Vector:
    form.vector = uint8_t(k.value);
    break;
  case Slot::Shape:
    form.shape = MatrixShape(k.value);
    break;
  case Slot::N:
    form.n = uint16_t(k.value);
    break;
  case Slot::Wgmma:
    form.n = uint16_t(wgmmaN(word, k.value));
    form.shape = MatrixShape::Wgmma;
    break;
  case Slot::Flag:
    form.*(k.flag) = true;
    break;
  }
  return true;
}

const Keyword *find(const Group &group, std::string_view word) {
  for (const Keyword &k : group.keywords)
    if (k.slot == Slot::Wgmma ? wgmmaN(word, k.value) != 0 : k.word == word)
      return &k;
  return nullptr;
}

/// Matches `words` to the groups; returns how many were taken, and whether all groups and words are satisfied.
size_t matchGroups(const CompiledRow &row, const std::vector<std::string_view> &words, size_t from, Form &form,
                   bool &complete, const Group **missing) {
  unsigned types = 0;
  bool space = false;
  size_t at = from;
  *missing = nullptr;
  for (size_t g = 0; g < row.groups.size();) {
    size_t end = g + 1;
    while (row.groups[g].unordered >= 0 && end < row.groups.size() &&
           row.groups[end].unordered == row.groups[g].unordered)
      ++end;
    uint32_t taken = 0;
    for (bool again = true; again && at < words.size();) {
      again = false;
      for (size_t i = g; i < end && !again; ++i) {
        const Keyword *k = taken >> (i - g) & 1 ? nullptr : find(row.groups[i], words[at]);
        if (!k)
          continue;
        apply(form, *k, words[at], types, space);
        taken |= 1u << (i - g);
        ++at;
        again = true;
      }
    }
    for (size_t i = g; i < end; ++i)
      if (!(taken >> (i - g) & 1) && !row.groups[i].optional) {
        *missing = &row.groups[i];
        complete = false;
        return at;
      }
    g = end;
  }
  complete = at == words.size();
  return at;
}

/// What a row's name says beyond its handler.
void applyName(Form &form, const CompiledRow &row) {
  for (std::string_view word : row.name) {
    form.expectTx |= word == "expect_tx";
    form.noComplete |= word == "noComplete";
    form.all |= word == "arrive_drop" || word == "wait_all";
  }
  form.row = row.row;
  if (std::string_view name = row.row->name; (name == "addc" || name == "subc" || name == "madc"))
    form.carryIn = true;
}

size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = row[j];
      row[j] = next;
    }
  }
  return row[b.size()];
}

std::string unknownName(std::string_view text, std::string_view first) {
  if (std::string_view why = refusal(text); !why.empty())
    return "'" + std::string(text) + "' is not supported: " + std::string(why);
  std::string_view best;
  size_t distance = SIZE_MAX;
  for (const auto &[word, rows] : rowsByWord()) {
    size_t d = editDistance(first.substr(0, 40), word);
    if (d < distance || (d == distance && word < best))
      distance = d, best = word;
  }
  return "'" + std::string(text.substr(0, 80)) + "' is not PTX: no instruction is called '" +
         std::string(first.substr(0, 40)) + "', the nearest is '" + std::string(best) + "'";
}

bool isKnownModifier(std::string_view word) {
  static const auto known = [] {
    std::unordered_map<std::string_view, bool> k;
    for (const CompiledRow &row : compiled()) {
      for (const Group &group : row.groups)
        for (const Keyword &keyword : group.keywords)
          k[keyword.word] = true;
      for (std::string_view part : row.name)
        k[part] = true;
    }
    // Words of PTX that no row has.
    for (const char *word : {"im2col",    "im2col_no_offs",
                             "xorsign",   "abs",
                             "m8n8k4",    "m8n8k16",
                             "m8n8k32",   "m16n8k64",
                             "m16n8k128", "m16n8k256",
                             "e2m1",      "e2m3",
                             "e3m2",      "b1",
                             "s4",        "u4",
                             "cta_group", "v8",
                             "b128",      "unified",
                             "relu",      "ordered_metadata",
                             "sp",        "proxy",
                             "alias",     "2cta"})
      k[word] = true;
    return k;
  }();
  return known.count(word) != 0 || wgmmaN(word, 16) || wgmmaN(word, 8) || wgmmaN(word, 32);
}

std::string join(const Group &group) {
  std::string text;
  for (size_t i = 0; i < group.keywords.size(); ++i)
    text += (i ? " ." : ".") + std::string(group.keywords[i].word);
  return text;
}

} // namespace

const std::vector<TableRow> &table() {
  static const std::vector<TableRow> rows = buildRows();
  return rows;
}

std::vector<Candidate> matchForm(std::string_view text, std::string &error) {
  std::vector<std::string_view> words = split(text, '.');
  std::vector<Candidate> candidates;
  auto rows = rowsByWord().find(words[0]);
  std::string_view why = refusal(text);
  if (rows == rowsByWord().end() || !why.empty()) {
    error = unknownName(text, words[0]);
    return candidates;
  }
  size_t farthest = 0;
  const CompiledRow *nearest = nullptr;
  const Group *expected = nullptr;
  for (const CompiledRow *row : rows->second) {
    if (row->name.size() > words.size() || !std::equal(row->name.begin(), row->name.end(), words.begin()))
      continue;
    Candidate candidate;
    bool complete = false;
    const Group *missing = nullptr;
    size_t taken = matchGroups(*row, words, row->name.size(), candidate.form, complete, &missing);
    if (complete) {
      applyName(candidate.form, *row);
      candidate.form.text = std::string(text);
      candidate.items = &row->items;
      candidates.push_back(std::move(candidate));
    } else if (taken > farthest || !nearest) {
      farthest = taken;
      nearest = row;
      expected = missing;
    }
  }
  if (!candidates.empty())
    return candidates;
  if (!nearest)
    nearest = rows->second[0], farthest = 1;
  bool known = std::all_of(words.begin() + 1, words.end(), isKnownModifier);
  error = "'" + std::string(text.substr(0, 120)) + "' is not " + (known ? "supported" : "PTX");
  std::string got =
      farthest < words.size() ? "'." + std::string(words[farthest].substr(0, 40)) + "'" : "the end of its name";
  error += expected ? ": expects " + join(*expected) + ", got " + got : ": expects no further modifier, got " + got;
  error += "; the nearest row is '" + std::string(nearest->row->name) +
           (nearest->row->modifiers[0] ? " " + std::string(nearest->row->modifiers) : "") + "'";
  return candidates;
}

unsigned vectorCount(const Form &form, char count) {
  unsigned k = 0;
  switch (form.shape) {
  case MatrixShape::M16N8K4:
    k = 4;
    break;
  case MatrixShape::M16N8K8:
    k = 8;
    break;
  case MatrixShape::M16N8K16:
    k = 16;
    break;
  case MatrixShape::M16N8K32:
    k = 32;
    break;
  default:
    break;
  }
  switch (count) {
  case 'v':
    return form.vector;
  case 'n':
    return form.n;
  case 'A':
    return 16 * k * bitWidth(form.types[1]) / 1024;
  case 'B':
    return 8 * k * bitWidth(form.types[2]) / 1024;
  case 'D':
    return 16 * 8 * bitWidth(form.types[0]) / 1024;
  case 'R':
    return form.n * bitWidth(form.types[0]) / 64;
  default:
    return unsigned(count - '0');
  }
}

Type operandType(const Form &form, const std::string &type) {
  if (type.size() == 2 && type[0] == 't')
    return form.types[size_t(type[1] - '0')];
  if (type.size() == 2 && type[0] == 'r') {
    // Fragments of matrices: narrow elements are packed in 32-bit registers.
    Type element = form.types[size_t(type[1] - '0')];
    return bitWidth(element) < 32 || element == Type::TF32 ? Type::B32 : element;
  }
  if (type == "h2")
    return bitWidth(form.type()) == 64 ? Type::B32 : Type::B16;
  if (type == "h4")
    return Type::B16;
  if (type == "wide")
    switch (form.types[0]) {
    case Type::U16:
      return Type::U32;
    case Type::S16:
      return Type::S32;
    case Type::U32:
      return Type::U64;
    default:
      return Type::S64;
    }
  if (type == "wait")
    return form.parity ? Type::U32 : Type::B64;
  return typeByName(type);
}

std::string describe(const std::vector<OperandItem> &items) {
  std::string text;
  for (const OperandItem &item : items) {
    text += text.empty() ? "" : ", ";
    std::string letter(1, item.letter);
    switch (item.kind) {
    case OperandItem::Vector:
      text += item.count == '1' ? letter : "{" + letter + "...}";
      break;
    case OperandItem::Address:
      text += item.coordinates ? "[" + letter + ", {...}]" : "[" + letter + "]";
      break;
    case OperandItem::LabelTarget:
      text += "label";
      break;
    case OperandItem::LabelTable:
      text += "targets";
      break;
    case OperandItem::Call:
      text += "(results), function, (arguments)";
      break;
    case OperandItem::Flag:
      text += "0 or 1";
      break;
    case OperandItem::SpecialRegister:
      text += "special register";
      break;
    case OperandItem::FrameVariable:
      text += "local variable";
      break;
    default:
      text += item.second ? letter + "|" + item.second : letter;
      break;
    }
    text += item.optional ? "?" : "";
  }
  return text;
}

} // namespace attn::sim
