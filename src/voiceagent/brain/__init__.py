"""What answers the caller: a script, or a language model with tools.

`ports.py` is what a call, or a conversation in writing, needs of a brain. From there:

1. `agent/`: what the business lets its agent say, ask and offer, from its file.
2. `words/`: what a caller's words mean, by lists: yes or no, a number, which of the answers.
3. `script/`: the brain that goes through the agent's questions.
4. `llm/`: the brain that thinks, with a language model behind `chat.py`.
5. `tools/`: what the model can do, behind `toolbox.py`; `tool_ports.py` is what they need.
6. `takeover.py`: the thinking brain with the script behind it, for when the model fails.

`llm/`, `script/` and `tools/` do not know each other; they know `agent/`, and it knows `words/`.
"""
