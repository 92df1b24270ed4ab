using Microsoft.Extensions.AI;
using ModelZoo.Contracts;

namespace ModelZoo.Extensions.AI;

/// <summary>Messages as one prompt, in the form that the host's <c>/v1/chat/completions</c> gives them.</summary>
internal static class Conversation
{
    /// <summary>One message as it stands; several written out, which every text model can continue.</summary>
    /// <exception cref="ModelZooException">There is none, or one holds more than text.</exception>
    public static string Write(IEnumerable<ChatMessage> messages, string? instructions)
    {
        var turns = messages.Select(message => (Role: message.Role.Value, Text: TextOf(message))).ToList();
        if (instructions is not null) turns.Insert(0, (ChatRole.System.Value, instructions));
        return turns switch
        {
            [] => throw new MediaException(ErrorCodes.MediaUnsupported, "A conversation has at least one message."),
            [var only] => only.Text,
            _ => string.Concat(turns.Select(turn => $"{turn.Role}: {turn.Text}\n")) + "assistant:",
        };
    }

    private static string TextOf(ChatMessage message) => string.Concat(message.Contents.Select(content => content is TextContent text
        ? text.Text
        : throw new MediaException(ErrorCodes.MediaUnsupported, "Messages hold text here.") { Where = $"a message of the {message.Role.Value}", Expected = nameof(TextContent), Found = content.GetType().Name }));
}
