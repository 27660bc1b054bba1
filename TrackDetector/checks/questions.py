"""What the recognition notebook asks before its results. See `common.exercises.questions`."""

from common.exercises.questions import Question, asking

QUESTIONS = {
    "order": Question(
        "A folder lists its files in another order than the table of labels. You put the first file to the first label, and so on. How many photos get the right name?",
        ("All", "About half", "About as many as by guessing"), 2,
        "Nothing crashes, and every photo has a label: it is just somebody else's. Match by file name. A classifier that is right as often as chance is a sign of this."),
    "frames": Question(
        "The frames of a clip are sorted as text. Which frame follows 1.jpg?",
        ("2.jpg", "10.jpg", "0.jpg"), 1,
        "As text, “10” begins with “1” and so stands before “2”. Sort by the number."),
    "found": Question(
        "dlib's first look wants frontal faces of 80 pixels or more. In which share of these portraits will a face be found in the end?",
        ("In about half", "In about three quarters", "In nearly all"), 2,
        "Portraits are easy, and there are three more looks for the hard ones. What is found only then, or not at all, is worth looking at: it is not chance who that is."),
    "five": Question(
        "A turn, a scale and a shift move five landmarks onto those of an average face. Will they meet them exactly?",
        ("Yes, all five", "Nearly, but not exactly", "Only the eyes"), 1,
        "Four numbers cannot fit ten: faces differ in shape. The transform takes the best compromise, and what is left over is part of who somebody is."),
    "nearest": Question(
        "The network has seen none of these people. What will the nearest photo to a face show?",
        ("Somebody in the same light", "Somebody who looks the same way", "Mostly the same person"), 2,
        "It was trained to bring photos of one person together, whatever the light and the pose, and it does so for people whom it has never seen."),
    "below": Question(
        "dlib's authors call two photos the same person below a distance of 0.6. How many pairs of different people lie below it?",
        ("None", "A few in a hundred", "About half"), 1,
        "The hills overlap a little. Few in a hundred is not few: who is compared with a thousand strangers meets tens of them. So a threshold belongs to the size of a gallery."),
    "layer": Question(
        "The network answers in many layers. By which of them are people named best?",
        ("By an early one, which sees edges", "By one in the middle", "By one of the last"), 2,
        "The last layers are what the wish for “same person near, others far” was put on. Early layers know light and pose, and pose is not a name."),
    "mirror": Question(
        "The descriptors of a face and of its mirror image are averaged. What will that bring?",
        ("Nothing or a little", "A lot", "It hurts"), 0,
        "The two descriptors are nearly the same already: the network was trained on both. It costs twice the time, so it must be measured, not believed."),
    "right": Question(
        "Guessing would name one photo right for every person in the list. What share will the nearest neighbours name?",
        ("About half", "About three quarters", "More than nine in ten"), 2,
        "Photos in good light, faces from the front, few people: this is the easy case. Section 7 makes it harder, and section 9 asks for whom it is not easy."),
    "nobody": Question(
        "In some frames of a clip nobody is seen. What would happen if they voted as well?",
        ("Nothing", "They would vote for somebody, more or less at random", "They would vote “unknown”"), 1,
        "A crop of a curtain has 128 numbers, too, and some photo is the nearest. The mean of the clip would be pulled away from the person."),
    "percent": Question(
        "The threshold lets 1 % of the strangers pass on whom it was chosen. How many of the other strangers will pass?",
        ("Exactly 1 %", "Perhaps none, perhaps a few in a hundred", "About a third"), 1,
        "There are few strangers to judge by: one of fifty is 2 % already. The interval behind the figure says where the true share may lie."),
    "raise": Question(
        "You raise the threshold, the distance up to which a name is given. Which rates rise?",
        ("Correct accepts alone", "False accepts alone", "Both"), 2,
        "The threshold cannot know who is a stranger. Along the curve both go up together; only a better descriptor moves the curve itself."),
    "group": Question(
        "Two of the eight faces in the group photo below are strangers. What will be written at them?",
        ("Always “unknown”", "The name of whoever is nearest", "“Unknown”, unless somebody in the gallery looks very much alike"), 2,
        "The nearest person is always there; the threshold decides. That is the false accept of section 7, seen on a photo."),
    "shared": Question(
        "A few in a hundred of the known people are turned away. How is that spread over the people?",
        ("Evenly: a few in a hundred for each", "Most people never, a few people often", "Only people with few photos are turned away"), 1,
        "Whoever wears glasses in one photo only, or turns the head, is turned away again and again. The average says nothing about that person's day."),
    "band": Question(
        "The first distance, up to which a face is accepted, goes down; the second, beyond which it is refused, stays. Which of the three answers will be given more often?",
        ("Accept", "Ask", "Refuse"), 1,
        "Whoever lies between the old distance and the new one is asked now: a stranger there no longer gets a file, and a known person waits a minute. A safer desk is a slower one."),
    "few": Question(
        "Of 20 photos in bad light 17 are accepted, of 20 photos in good light 19. Is the camera worse in bad light?",
        ("Yes: 85 % is less than 95 %", "No: two photos are nothing", "So few photos cannot tell"), 2,
        "The 95 % intervals go from 64 to 95 % and from 76 to 99 %: they overlap widely. With 200 photos each and the same shares they would go from 79 to 89 % and from 91 to 97 %, "
        "and you could tell."),
}

ask = asking(QUESTIONS)
