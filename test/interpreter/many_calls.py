# SPDX-License-Identifier: Apache-2.0
"""usage: many_calls.py N once|twice: a spec whose mask calls N functions deep, each calling the next once or twice."""
import sys

count, calls = int(sys.argv[1]), {"once": 1, "twice": 2}[sys.argv[2]]
print("!x = tensor<?x?x1x8xf32>\n!l = tensor<?x?x1xf32>")
print("func.func @g0(%x: index) -> index {\n  return %x : index\n}")
for n in range(1, count):
    lines = [f"  %{i + 1} = func.call @g{n - 1}({'%x' if i == 0 else f'%{i}'}) : (index) -> index" for i in range(calls)]
    print(f"func.func @g{n}(%x: index) -> index {{\n" + "\n".join(lines).replace("%1", "%a").replace("%2", "%c")
          + f"\n  return %{'ac'[calls - 1]} : index\n}}")
print(f"""func.func @mask(%b: index, %h: index, %q: index, %kv: index) -> i1 {{
  %x = func.call @g{count - 1}(%q) : (index) -> index
  %visible = arith.cmpi sge, %x, %kv : index
  return %visible : i1
}}
attn.kernel @f(%q: !x, %k: !x) -> (lse: !l) {{
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @mask
  %p, %lse = attn.softmax %m -> !l
  attn.return %lse : !l
}}""")
