namespace Library;

public static class Greeting
{
    public static string Text => "VERSION";
}
