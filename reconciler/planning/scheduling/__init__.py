"""The scheduler: which node each new pod is given to, and for every other node why not.

The pipeline, as upstream's (https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/):

| point | question | asked |
|---|---|---|
| prefilter | what of the pod matters to this plugin? which nodes are the only candidates? | once per template |
| filter | why can a node not have the pod? | once per node and equivalence class |
| score | how badly would the pod be placed there? | once per lane, and per node with pods of the same owner |
| reserve | has the best node an address left? | of the best node |

| module | what it has |
|---|---|
| `framework.py` | what a plugin is; how all are asked, and how the nodes that each turned away are counted |
| `profile.py` | the one tuple of plugins: it makes the choice, and it gives the reasons |
| `plugins/` | one rule each, with upstream's name where it is upstream's rule |
| `node_info.py` | NodeInfo and Snapshot: the nodes as values, which a caller may keep from turn to turn |
| `ledger.py` | how the nodes fill in the course of one cycle |
| `equivalence.py` | pods that no plugin can tell apart, filtered once, together |
| `node_order.py` | nodes that no plugin can tell apart but by their load, sorted once for all pods: lanes |
| `template_queue.py` | the best node for the next pod of a template, without a look at every node |
| `identities.py` | the names and uids of new pods |
| `cycle.py` | `place`: the whole of it |
| `preemption.py` | the point after the filters: would a pod find a node if others were gone? |
| `taints.py` | which taints are tolerated, also of pods that run already |

Vocabulary
- **Cycle**: one call of `place`. Each pod sees the nodes as the ones before it left them.
- **Equivalence class**: the pods of which every plugin's prefilter says the same, whatever their owners.
- **Settled**: a verdict or a cost that is the same whatever is on the node. Others *fill*: as more pods come, a
  verdict turns against a node and never for it, and a cost rises and never falls. All that is lazy rests on that.
- **Siblings**: what a node has of the same owner's pods. Only in these do templates of one class differ.
- **Rank**: the place of a node in the order of names, which breaks ties.
- **Load**: the share of a node's CPU and memory that is requested by pods that stay.

Nothing costs nodes times pods: a cycle looks at all nodes once for each different thing that a plugin knows
of a pod, and after that a pod costs nearly the same on five nodes as on five thousand.
"""
