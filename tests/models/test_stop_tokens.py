from studio.models.stop_tokens import context_room, stop_tokens


def test_an_answer_ends_at_the_models_and_the_tokenizers_tokens(model, processor, monkeypatch):
    tokenizer = processor.tokenizer
    turn = tokenizer.convert_tokens_to_ids("<end_of_utterance>")
    monkeypatch.setattr(model.generation_config, "eos_token_id", [7, 9])
    assert stop_tokens(processor, model) == sorted({7, 9, tokenizer.eos_token_id, turn})
    monkeypatch.setattr(model.generation_config, "eos_token_id", None)
    assert stop_tokens(processor, model) == sorted({tokenizer.eos_token_id, turn})


def test_the_room_for_an_answer_is_what_the_prompt_leaves_of_the_context(model):
    limit = model.config.text_config.max_position_embeddings
    assert context_room(model, 10) == limit - 10
    assert context_room(model, limit + 1) == -1
