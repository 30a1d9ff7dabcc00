// SPDX-License-Identifier: Apache-2.0
// The forms of facts about data, and their text.
#include "runtime/DataFact.h"

namespace attn {

const std::vector<DataFactForm> &dataFactForms() {
  using Kind = DataFact::Kind;
  static const std::vector<DataFactForm> forms = {
      {Kind::Length,
       "length",
       {{&DataFact::tensor, "the name of the lengths"},
        {&DataFact::of, "the name of a tensor"},
        {&DataFact::dimension, "the name of a dimension"}}},
      {Kind::Increasing,
       "increasing",
       {{&DataFact::tensor, "the name of a list"}, {&DataFact::of, "the name of the counts", true}}},
      {Kind::Sorted, "sorted", {{&DataFact::tensor, "the name of a tensor"}}},
      {Kind::Pointers,
       "pointers",
       {{&DataFact::tensor, "the name of the pointers"}, {&DataFact::dimension, "the name of a dimension"}}},
      {Kind::Pages,
       "pages",
       {{&DataFact::tensor, "the name of a page table"},
        {&DataFact::of, "the name of a pool"},
        {&DataFact::lengths, "the name of the lengths"}}},
      {Kind::Members,
       "members",
       {{&DataFact::tensor, "the name of a list"},
        {&DataFact::unit, "a number of keys", false, true},
        {&DataFact::of, "the name of the counts", true}}},
      {Kind::Ranges,
       "ranges",
       {{&DataFact::tensor, "the name of a list"},
        {&DataFact::unit, "a number of keys", false, true},
        {&DataFact::of, "the name of the counts", true}}},
      {Kind::Rows,
       "rows",
       {{&DataFact::tensor, "the name of a list of rows"},
        {&DataFact::of, "the name of a tensor"},
        {&DataFact::lengths, "the name of the lengths", true}}},
  };
  return forms;
}

const DataFactForm *dataFactForm(std::string_view word) {
  for (const DataFactForm &form : dataFactForms())
    if (form.word == word)
      return &form;
  return nullptr;
}

std::string dataFactText(const DataFact &fact) {
  std::string text;
  for (const DataFactForm &form : dataFactForms()) {
    if (form.kind != fact.what)
      continue;
    text = form.word;
    for (const DataFactForm::Field &field : form.fields)
      if (const std::string &word = fact.*field.place; !field.optional || !word.empty())
        text += " " + word;
  }
  return text;
}

std::optional<DataFact> dataFactOf(const std::vector<std::string> &words) {
  const DataFactForm *form = words.empty() ? nullptr : dataFactForm(words.front());
  if (!form || words.size() > form->fields.size() + 1)
    return std::nullopt;
  DataFact fact;
  fact.what = form->kind;
  for (size_t i = 0; i < form->fields.size(); ++i) {
    if (i + 1 < words.size())
      fact.*form->fields[i].place = words[i + 1];
    else if (!form->fields[i].optional)
      return std::nullopt;
  }
  return fact;
}

} // namespace attn
