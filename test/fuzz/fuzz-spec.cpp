// SPDX-License-Identifier: Apache-2.0
// Damaged specs are compiled: refused with sentences, or accepted, and then the kernel file is a sound one.
#include "compiler/Compiler.h"
#include "runtime/KernelFile.h"
#include "test/cases/SpecText.h"
#include "test/fuzz/Fuzz.h"

#include <cctype>

using namespace attn;

/// LLVM's allocators poison what they have not handed out, but only where their header is compiled with the sanitiser:
/// ours is, the packaged libraries are not, and one slab is served by both. So poison of users' making is not looked at.
extern "C" const char *__asan_default_options() { return "allow_user_poisoning=0"; }

namespace {

using Tokens = std::vector<std::string>;

bool inWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; }

/// Words with their sigils, numbers, and single characters; joined they are the text again. The sizes of a type are
/// numbers of their own: in `tensor<?x?x32x128xbf16>` the letters x stand alone.
Tokens split(const std::string &text) {
  Tokens tokens;
  for (size_t at = 0; at != text.size();) {
    size_t end = at + 1;
    if (std::isdigit(static_cast<unsigned char>(text[at])))
      while (end != text.size() && std::isdigit(static_cast<unsigned char>(text[end])))
        ++end;
    else if (text[at] == 'x' && (at == 0 || !std::isalpha(static_cast<unsigned char>(text[at - 1]))))
      ;
    else if (inWord(text[at]) || text[at] == '%' || text[at] == '@' || text[at] == '!')
      while (end != text.size() && inWord(text[end]))
        ++end;
    tokens.push_back(text.substr(at, end - at));
    at = end;
  }
  return tokens;
}

/// Which words may stand in for one another.
char kindOf(const std::string &token) {
  if (token[0] == '%' || token[0] == '@' || token[0] == '!')
    return token[0];
  if (std::isdigit(static_cast<unsigned char>(token[0])))
    return '0';
  size_t point = token.find('.');
  return token.size() < 2 ? ' ' : point != std::string::npos ? '.' : 'a';
}

/// Removes, repeats or exchanges whole lines: what is left often parses, and breaks a rule.
std::string withLinesDamaged(const std::string &text, fuzz::Random &random) {
  Tokens lines(1);
  for (char c : text) {
    lines.back() += c;
    if (c == '\n')
      lines.emplace_back();
  }
  size_t at = random.below(lines.size()), other = random.below(lines.size());
  switch (random.below(3)) {
  case 0:
    lines.erase(lines.begin() + static_cast<ptrdiff_t>(at));
    break;
  case 1:
    lines.insert(lines.begin() + static_cast<ptrdiff_t>(other), std::string(lines[at]));
    break;
  default:
    std::swap(lines[at], lines[other]);
  }
  std::string joined;
  for (const std::string &line : lines)
    joined += line;
  return joined;
}

/// Exchanges words for words of their kind, so that most results are specs of something else.
std::string withWordsDamaged(const std::string &text, fuzz::Random &random) {
  static const Tokens numbers = {"0",
                                 "1",
                                 "2",
                                 "3",
                                 "7",
                                 "8",
                                 "16",
                                 "40",
                                 "256",
                                 "264",
                                 "1000000007",
                                 "2147483648",
                                 "9223372036854775807",
                                 "99999999999999999999",
                                 "1.0",
                                 "0.0"};
  static const Tokens words = {"f16", "bf16", "f32", "f64", "i1",  "i8",    "i32", "i64",   "index", "slt",
                               "sge", "ult",  "eq",  "ne",  "end", "start", "by",  "scale", "sink",  "align"};
  static const Tokens operations = {"attn.scores", "attn.mask",  "attn.modify", "attn.softmax", "attn.output",
                                    "attn.dense",  "attn.merge", "arith.addi",  "arith.subi",   "arith.divsi",
                                    "arith.muli",  "arith.addf", "arith.divf",  "arith.remsi",  "arith.shli",
                                    "math.exp",    "math.tanh",  "math.log",    "attn.row",     "attn.share"};
  Tokens tokens = split(text);
  for (size_t edits = 1 + random.below(3); edits != 0; --edits) {
    size_t at = random.below(tokens.size());
    while (kindOf(tokens[at]) == ' ')
      at = (at + 1) % tokens.size();
    char kind = kindOf(tokens[at]);
    if (kind == '0')
      tokens[at] = numbers[random.below(numbers.size())];
    else if (kind == 'a' && random.below(2))
      tokens[at] = words[random.below(words.size())];
    else if (kind == '.' && random.below(2))
      tokens[at] = operations[random.below(operations.size())];
    else
      for (size_t other = random.below(tokens.size()), steps = 0; steps != tokens.size(); ++steps, ++other)
        if (kindOf(tokens[other % tokens.size()]) == kind) {
          tokens[at] = std::string(tokens[other % tokens.size()]);
          break;
        }
  }
  std::string joined;
  for (const std::string &token : tokens)
    joined += token;
  return joined;
}

} // namespace

int main(int count, char **words) {
  // Specs that use every feature, as the correctness cases do; the damage then meets every rule.
  std::vector<std::string> originals;
  for (const cases::Case &c : cases::pairwise())
    originals.push_back(cases::specText(c));
  return fuzz::run(count, words, originals, [&](const std::string &text) {
    // Bytes at random rarely get past the parser: of four texts, three are damaged by words or by lines instead, with
    // the first damage as their seed.
    fuzz::Random random(hashOf(text));
    std::string spec = text;
    if (random.below(4)) {
      spec = originals[random.below(originals.size())];
      spec = random.below(3) ? withWordsDamaged(spec, random) : withLinesDamaged(spec, random);
    }
    llvm::Expected<std::string> kernel = compileSpec(spec, "x.mlir", CompileOptions());
    if (!kernel)
      throw Error(llvm::toString(kernel.takeError()));
    parseKernelFile(*kernel, "x.ptx");
  });
}
