// SPDX-License-Identifier: Apache-2.0
// Matching of an instruction's name and modifiers against the table.
#pragma once

#include "runtime/sim/Table.h"

#include <string>
#include <string_view>
#include <vector>

namespace attn::sim {

/// One item of a row's operand pattern.
struct OperandItem {
  enum Kind : uint8_t { Scalar, Vector, Address, SpecialRegister, FrameVariable, LabelTarget, LabelTable, Call, Flag };
  Kind kind = Scalar;
  char letter = 0; // d q a b c e; of a Flag the bit it sets in Op::imm as '0' + bit
  char second = 0; // letter behind `|`
  bool secondOptional = false, optional = false, constant = false, coordinates = false;
  std::string type, secondType; // "t0" .. "t3", "wide", "wait", or a PTX type
  char count = '1';             // of a vector, see Rows.cpp
  bool destination() const { return letter == 'd'; }
};

/// A row whose modifiers fit, with what they say.
struct Candidate {
  Form form;
  const std::vector<OperandItem> *items = nullptr;
};

/// All rows that accept the instruction `text` ("ld.shared.v4.b32"), in table order; when there is none, `error` says
/// why and names the nearest row.
std::vector<Candidate> matchForm(std::string_view text, std::string &error);

/// Elements of a vector operand of the form.
unsigned vectorCount(const Form &form, char count);
/// The type an item's name stands for; "wait" is the operand of an mbarrier wait.
Type operandType(const Form &form, const std::string &type);
/// ".b32" without the dot; None if it is no type.
Type typeByName(std::string_view name);
/// The row's pattern as a person would write it, e.g. "d, a, b" (for messages).
std::string describe(const std::vector<OperandItem> &items);

} // namespace attn::sim
