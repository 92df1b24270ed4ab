using Good;
using Microsoft.Extensions.AI;
using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Extensions.AI.Tests;

public sealed class ChatClientTests
{
    private static readonly ChatOptions Asked = new()
    {
        Temperature = 0.5f, MaxOutputTokens = 500, StopSequences = ["a", "b"], Seed = 7, AdditionalProperties = new() { ["top_p"] = 0.25 },
    };

    [Fact]
    public async Task Echo_OneMessage_AnswersWithUsage()
    {
        var source = new ModelSource { Id = ModelId.Parse("test/echo"), Services = HostServices.Instance };
        await using var model = await new GoodPlugin().Architectures[0].Open(source, default);
        using var client = model.AsChatClient("test/echo");
        var answer = await client.GetResponseAsync("hi", new() { Seed = 3 });
        Assert.Equal(("VERSION:hi:3", "test/echo", ChatFinishReason.Stop), (answer.Text, answer.ModelId, answer.FinishReason));
        Assert.Equal((2, 12, 14), (answer.Usage!.InputTokenCount, answer.Usage.OutputTokenCount, answer.Usage.TotalTokenCount));
    }

    [Fact]
    public async Task Options_OfTheClient_AreTheModelsByName()
    {
        using var client = new WriterModel().AsChatClient();
        Assert.Equal("hi t=0.5 p=0.25 stop=a|b seed=7", (await client.GetResponseAsync("hi", Asked)).Text);
        Assert.Equal("hi t=1 p=1 stop= seed=0", (await client.GetResponseAsync("hi")).Text);
    }

    [Fact]
    public async Task Conversation_SeveralMessages_IsWrittenOut()
    {
        using var client = new WriterModel().AsChatClient();
        var answer = await client.GetResponseAsync([new(ChatRole.User, "hi"), new(ChatRole.Assistant, "ho"), new(ChatRole.User, "he")], new() { Instructions = "be kind" });
        Assert.StartsWith("system: be kind\nuser: hi\nassistant: ho\nuser: he\nassistant: t=1", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stream_Updates_AddUpToTheAnswerAndEndWithUsage()
    {
        using var client = new WriterModel().AsChatClient("test/writer");
        var updates = new List<ChatResponseUpdate>();
        await foreach (var update in client.GetStreamingResponseAsync("hi", Asked)) updates.Add(update);
        Assert.Equal(["hi", " t=0.5 p=0.25", " stop=a|b", " seed=7", ""], updates.Select(update => update.Text));
        var whole = updates.ToChatResponse();
        Assert.Equal(("hi t=0.5 p=0.25 stop=a|b seed=7", ChatFinishReason.Stop, 33L), (whole.Text, whole.FinishReason, whole.Usage!.TotalTokenCount!.Value));
        Assert.Single(updates.Select(update => update.ResponseId).Distinct());
    }

    [Fact]
    public async Task MaxTokens_Reached_IsTheReason()
    {
        using var client = new WriterModel().AsChatClient();
        Assert.Equal(ChatFinishReason.Length, (await client.GetResponseAsync("hi", new() { MaxOutputTokens = 5 })).FinishReason);
    }

    [Fact]
    public async Task Stream_OfAModelThatTakesWordsBack_IsRefusedAndOneAnswerIsNot()
    {
        using var client = new WriterModel().AsChatClient();
        var options = new ChatOptions { AdditionalProperties = new() { ["rewrites"] = true } };
        var error = await Assert.ThrowsAsync<ModelZooException>(async () => await client.GetStreamingResponseAsync("hi", options).ToChatResponseAsync());
        Assert.Contains("GetResponseAsync", error.Message, StringComparison.Ordinal);
        Assert.StartsWith("hi", (await client.GetResponseAsync("hi", options)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancel_WhileStreaming_StopsWithinAStep()
    {
        var model = new WriterModel();
        using var client = model.AsChatClient();
        using var stop = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in client.GetStreamingResponseAsync("hi", cancellationToken: stop.Token)) await stop.CancelAsync();
        });
        Assert.Equal(1, model.Steps);
    }

    public static TheoryData<string, ChatOptions> Refused => new()
    {
        { "top_k", new() { TopK = 3 } },
        { "presence_penalty", new() { PresencePenalty = 1 } },
        { "nothing", new() { AdditionalProperties = new() { ["nothing"] = 1 } } },
        { "max_new_tokens", new() { AdditionalProperties = new() { ["max_new_tokens"] = "many" } } },
        { "seed", new() { Seed = -1 } },
        { "tools", new() { Tools = [AIFunctionFactory.Create(() => 1)] } },
        { "response_format", new() { ResponseFormat = ChatResponseFormat.Json } },
        { "conversation_id", new() { ConversationId = "1" } },
        { "model", new() { ModelId = "test/other" } },
    };

    [Theory, MemberData(nameof(Refused), DisableDiscoveryEnumeration = true)]
    public async Task Options_ThatCannotBeHad_AreRefusedByName(string name, ChatOptions options)
    {
        using var client = new WriterModel().AsChatClient("test/writer");
        Assert.Equal(name, (await Assert.ThrowsAsync<OptionsException>(() => client.GetResponseAsync("hi", options))).Where);
    }

    [Fact]
    public async Task Message_WithAPicture_IsRefused()
    {
        using var client = new WriterModel().AsChatClient();
        var message = new ChatMessage(ChatRole.User, [new TextContent("what is this?"), new DataContent(new byte[] { 1 }, "image/png")]);
        Assert.Equal("DataContent", (await Assert.ThrowsAsync<MediaException>(() => client.GetResponseAsync([message]))).Found);
    }

    [Fact]
    public void Verbs_ThatAModelLacks_AreSaid()
    {
        var painter = new PainterModel();
        Assert.Equal("one that makes image", Assert.Throws<ModelZooException>(() => painter.AsChatClient()).Found);
        Assert.Equal(ErrorCodes.VerbUnsupported, Assert.Throws<ModelZooException>(() => new WriterModel().AsEmbeddingGenerator()).Code);
        Assert.Equal(ErrorCodes.VerbUnsupported, Assert.Throws<ModelZooException>(() => new WriterModel().AsImageGenerator()).Code);
    }

    [Fact]
    public void Services_OfAClient_AreItsMetadataAndTheModel()
    {
        var model = new WriterModel();
        using var client = model.AsChatClient("test/writer");
        Assert.Equal(("modelzoo", "test/writer"), (client.GetService<ChatClientMetadata>()!.ProviderName, client.GetService<ChatClientMetadata>()!.DefaultModelId));
        Assert.Same(model, client.GetService<IModel>());
        Assert.Same(client, client.GetService<IChatClient>());
        Assert.Null(client.GetService<IEmbeddingGenerator>());
        Assert.Null(client.GetService(typeof(IModel), "key"));
    }

    [Fact]
    public void PublicApi_IsTheApprovedOne()
    {
        var type = Assert.Single(typeof(ModelClients).Assembly.GetExportedTypes());
        Assert.Equal(
        [
            "Microsoft.Extensions.AI.IChatClient AsChatClient(ModelZoo.Contracts.IModel, System.String)",
            "Microsoft.Extensions.AI.IEmbeddingGenerator`2[System.String,Microsoft.Extensions.AI.Embedding`1[System.Single]] AsEmbeddingGenerator(ModelZoo.Contracts.IModel, System.String)",
            "Microsoft.Extensions.AI.IImageGenerator AsImageGenerator(ModelZoo.Contracts.IModel, System.String)",
        ], type.GetMethods(System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.DeclaredOnly).Select(method => method.ToString()!).Order(StringComparer.Ordinal));
    }
}
