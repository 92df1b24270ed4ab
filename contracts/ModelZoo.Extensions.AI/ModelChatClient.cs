using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using ModelZoo.Contracts;

namespace ModelZoo.Extensions.AI;

/// <summary>A model that generates text, as a chat client.</summary>
internal sealed class ModelChatClient(IModel model, IGenerate generator, string? modelId) : ModelClient(model, modelId, new ChatClientMetadata("modelzoo", defaultModelId: modelId)), IChatClient
{
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var (prompt, call) = Prepare(messages, options);
        var text = (await ModelCall.ResultAsync(generator, new(prompt), call.Bind(), call.Seed, cancellationToken).ConfigureAwait(false)).Expect<Text>().Value;
        var usage = await TokenUsage.CountAsync(Model, [prompt], text, cancellationToken).ConfigureAwait(false);
        return new(new ChatMessage(ChatRole.Assistant, text)) { ResponseId = NewId(), ModelId = ModelId, FinishReason = Reason(usage, options), Usage = usage };
    }

    /// <summary>What was added since the last update; the last one has the reason of the end and the usage.</summary>
    /// <exception cref="ModelZooException">The model changes what it had written: a stream cannot take words back.</exception>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var (prompt, call) = Prepare(messages, options);
        var (id, sent, ended) = (NewId(), "", false);
        ChatResponseUpdate Update(IList<AIContent> contents) => new(ChatRole.Assistant, contents) { ResponseId = id, MessageId = id, ModelId = ModelId };

        await foreach (var step in generator.GenerateAsync(new(prompt), call.Bind(), call.Seed, cancellationToken).WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            cancellationToken.ThrowIfCancellationRequested();
            ended |= step is { IsFinal: true, Value: Text };
            if (step.Value is not Text { Value: var text }) continue;
            if (!text.StartsWith(sent, StringComparison.Ordinal))
                throw new ModelZooException(ErrorCodes.VerbUnsupported, "This model changes what it had written, so that its text cannot be streamed.") { Remedy = $"Use {nameof(IChatClient.GetResponseAsync)}." };
            if (text.Length > sent.Length) yield return Update([new TextContent(text[sent.Length..])]);
            sent = text;
        }

        if (!ended) throw ModelCall.NoResult();
        var usage = await TokenUsage.CountAsync(Model, [prompt], sent, cancellationToken).ConfigureAwait(false);
        var last = Update(usage is null ? [] : [new UsageContent(usage)]);
        last.FinishReason = Reason(usage, options);
        yield return last;
    }

    private (string Prompt, ModelCall Call) Prepare(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var call = new ModelCall(generator.GenerateOptions);
        if (options is not null)
        {
            ModelCall.Refuse(options.Tools is { Count: > 0 }, "tools", "no tools");
            ModelCall.Refuse(options.ResponseFormat is not (null or ChatResponseFormatText), "response_format", "text");
            ModelCall.Refuse(options.ConversationId is not null, "conversation_id", "the whole conversation with every call");
            RequireModel(options.ModelId);
            call.Set(options.Temperature, "temperature");
            call.Set(options.TopP, "top_p");
            call.Set(options.TopK, "top_k");
            call.Set(options.FrequencyPenalty, "frequency_penalty");
            call.Set(options.PresencePenalty, "presence_penalty");
            call.Set(options.MaxOutputTokens, "max_tokens", "max_new_tokens");
            call.Set(options.StopSequences is { Count: > 0 } stop ? stop.ToArray() : null, "stop", "stop_sequences");
            call.SetSeed(options.Seed);
            call.SetAll(options.AdditionalProperties);
        }

        return (Conversation.Write(messages, options?.Instructions), call);
    }

    private static ChatFinishReason Reason(UsageDetails? usage, ChatOptions? options) =>
        usage?.OutputTokenCount is { } count && options?.MaxOutputTokens is { } most && count >= most ? ChatFinishReason.Length : ChatFinishReason.Stop;

    private static string NewId() => $"chatcmpl-{Guid.NewGuid():N}";
}
